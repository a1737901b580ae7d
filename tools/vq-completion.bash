# Completion of the vq programs for bash: source this file, or install it as
# share/bash-completion/completions/vq-info (and a link for each of the others).
#
# Static on purpose: asking a program would cost a quarter of a second at every press of the key, which
# is what loading LibTorch takes. The tables are written by tools/update-completion.sh, from the
# programs' --help=words: name, letter, what follows it (nothing, value, file, words, verb), the words.

declare -gA _vq_words
_vq_words[vq-decode]='
model	m	file	-
output	o	file	-
format	-	words	auto folder tar ppm png
per-shard	-	value	-
sheet	-	file	-
columns	-	value	-
scale	-	value	-
batch	b	value	-
device	d	value	-
dtype	-	words	auto fp32 bf16
threads	j	value	-
tile	-	value	-
mask	-	words	error grey
force	f	nothing	-
quiet	q	nothing	-
verbose	v	nothing	-
progress	-	nothing	-
help	h	nothing	-
version	V	nothing	-
'
_vq_words[vq-encode]='
model	m	file	-
output	o	file	-
batch	b	value	-
device	d	value	-
threads	j	value	-
format	-	words	auto folder jsonl csv tsv coco cub shards
split	-	words	all train test
size	-	value	-
resize	-	words	center squash paper-val paper-train
crops	-	value	-
flip	-	nothing	-
sample-codes	-	nothing	-
seed	s	value	-
shard	-	value	-
resume	-	nothing	-
max-bad	-	value	-
bad-list	-	file	-
text	t	nothing	-
level	-	value	-
no-history	-	nothing	-
force	f	nothing	-
quiet	q	nothing	-
verbose	v	nothing	-
progress	-	nothing	-
help	h	nothing	-
version	V	nothing	-
'
_vq_words[vq-eval]='
metrics	-	words	fid kid is prdc qs ds recon lpips clip caption usage bits purity
model	m	file	-
network	-	file	-
fid-mode	-	words	clean pytorch tensorflow
network-range	-	words	signed unit bytes
save-stats	-	file	-
sample	-	value	-
neighbours	-	value	-
components	-	value	-
lpips	-	file	-
clip	-	file	-
clip-merges	-	file	-
checker	-	value	-
output	o	file	-
table	-	nothing	-
draws	-	value	-
timesteps	-	value	-
size	-	value	-
resize	-	words	center squash
batch	b	value	-
device	d	value	-
dtype	-	words	auto fp32 bf16 int8
threads	j	value	-
seed	s	value	-
max-bad	-	value	-
force	f	nothing	-
plot	-	file	-
x-axis	x	value	-
y-axis	y	value	-
series	-	value	-
panels	-	value	-
title	-	value	-
plot-size	-	value	-
quiet	q	nothing	-
verbose	v	nothing	-
progress	-	nothing	-
help	h	nothing	-
version	V	nothing	-
'
_vq_words[vq-import]='
output	o	file	-
codec-out	-	file	-
dry-run	-	nothing	-
raw	-	nothing	-
allow-unused	-	value	-
force	f	nothing	-
vocabulary	-	file	-
text-tower	-	file	-
code-subset	-	file	-
classes	-	file	-
null	-	words	auto learned mean empty
grid	-	value	-
heads	-	value	-
text-heads	-	value	-
groups	-	value	-
image-size	-	value	-
suggest-guidance	-	value	-
suggest-top-p	-	value	-
suggest-steps	-	value	-
to	-	words	diffusers microsoft
codec	-	file	-
quiet	q	nothing	-
verbose	v	nothing	-
progress	-	nothing	-
help	h	nothing	-
version	V	nothing	-
'
_vq_words[vq-info]='
json	-	nothing	-
field	f	value	-
verify	-	nothing	-
tensors	-	nothing	-
text	t	nothing	-
output	o	file	-
records	-	value	-
salvage	-	nothing	-
heat	-	file	-
force	-	nothing	-
schedule	-	value	-
timesteps	T	value	-
codebook-size	K	value	-
quiet	q	nothing	-
verbose	v	nothing	-
progress	-	nothing	-
help	h	nothing	-
version	V	nothing	-
'
_vq_words[vq-sample]='
model	m	file	-
prompt	p	value	-
count	n	value	-
seed	s	value	-
shard	-	value	-
batch	b	value	-
max-wait	-	value	-
device	d	value	-
dtype	-	words	auto fp32 bf16 int8
threads	j	value	-
output	o	file	-
text	t	nothing	-
level	-	value	-
no-history	-	nothing	-
force	f	nothing	-
trace	-	file	-
every	-	value	-
steps	-	value	-
spacing	-	words	even cosine
tokens-per-step	-	value	-
order	-	words	ancestral random purity confidence halton first-hitting remask
purity-weight	-	value	-
purity-norm	-	words	none max
confidence-noise	-	value	-
remask-rule	-	words	cap rescale confidence
remask-strength	-	value	-
stride-posterior	-	words	exact one-step
reuse	-	value	-
guidance	g	value	-
guidance-schedule	-	words	constant linear cosine
guidance-interval	-	value	-
guide	-	words	x0 posterior
null	-	words	learned empty zero
negative	-	value	-
top-p	-	value	-
top-k	-	value	-
temperature	-	value	-
init	-	file	-
mask	-	file	-
mask-grow	-	value	-
strength	-	value	-
extend	-	value	-
overlap	-	value	-
quiet	q	nothing	-
verbose	v	nothing	-
progress	-	nothing	-
help	h	nothing	-
version	V	nothing	-
'
_vq_words[vq-train]='
codec	-	verb	-
diffusion	-	verb	-
features	-	verb	-
'
_vq_words[vq-train-codec]='
output	o	file	-
steps	-	value	-
max-seconds	-	value	-
batch	b	value	-
seed	s	value	-
log	-	file	-
log-every	-	value	-
save-every	-	value	-
resume	-	nothing	-
device	d	value	-
dtype	-	words	auto fp32 bf16
threads	j	value	-
force	f	nothing	-
size	-	words	tiny small base large
image-size	-	value	-
codes	-	value	-
code-width	-	value	-
channels	-	value	-
multipliers	-	value	-
patch	-	value	-
blocks	-	value	-
linear	-	words	auto on off
groups	-	value	-
learning-rate	-	value	-
warmup	-	value	-
commitment	-	value	-
codebook-decay	-	value	-
restart-after	-	value	-
weight-decay	-	value	-
clip-norm	-	value	-
average-decay	-	value	-
format	-	words	auto folder jsonl csv tsv coco cub shards
split	-	words	all train test
resize	-	words	center squash
flip	-	nothing	-
max-bad	-	value	-
memory	-	value	-
quiet	q	nothing	-
verbose	v	nothing	-
progress	-	nothing	-
help	h	nothing	-
version	V	nothing	-
'
_vq_words[vq-train-diffusion]='
output	o	file	-
steps	-	value	-
max-seconds	-	value	-
batch	b	value	-
seed	s	value	-
log	-	file	-
log-every	-	value	-
save-every	-	value	-
resume	-	nothing	-
device	d	value	-
dtype	-	words	auto fp32 bf16
threads	j	value	-
force	f	nothing	-
size	-	words	tiny small base large
layers	-	value	-
width	-	value	-
heads	-	value	-
timesteps	-	value	-
schedule	-	words	linear replace cosine arccos
objective	-	words	bound masked
condition	-	words	auto caption label none
condition-drop	-	value	-
text-layers	-	value	-
text-width	-	value	-
text-length	-	value	-
pieces	-	value	-
optimiser	-	words	adamw muon
learning-rate	-	value	-
muon-rate	-	value	-
warmup	-	value	-
rate-shape	-	words	constant linear cosine
weight-decay	-	value	-
clip-norm	-	value	-
average-decay	-	value	-
timesteps-drawn	-	words	importance uniform stratified
auxiliary-weight	-	value	-
mask-weight	-	value	-
suggest-guidance	-	value	-
suggest-top-p	-	value	-
suggest-steps	-	value	-
quiet	q	nothing	-
verbose	v	nothing	-
progress	-	nothing	-
help	h	nothing	-
version	V	nothing	-
'
_vq_words[vq-train-features]='
output	o	file	-
steps	-	value	-
max-seconds	-	value	-
batch	b	value	-
seed	s	value	-
log	-	file	-
log-every	-	value	-
save-every	-	value	-
resume	-	nothing	-
device	d	value	-
dtype	-	words	auto fp32 bf16
threads	j	value	-
force	f	nothing	-
image-size	-	value	-
channels	-	value	-
levels	-	value	-
learning-rate	-	value	-
warmup	-	value	-
weight-decay	-	value	-
average-decay	-	value	-
no-flip	-	nothing	-
format	-	words	auto folder jsonl csv tsv coco cub shards
split	-	words	all train test
resize	-	words	center squash
max-bad	-	value	-
memory	-	value	-
quiet	q	nothing	-
verbose	v	nothing	-
progress	-	nothing	-
help	h	nothing	-
version	V	nothing	-
'
# The functions.

_vq_complete() {
  local tool=${1##*/} cur=$2 table name letter kind choices
  local -a words=()
  COMPREPLY=()
  table=${_vq_words[$tool]-}
  [[ -n $table ]] || return

  # Programs with verbs: the first word chooses the table.
  if [[ $table == *$'\tverb\t'* ]]; then
    if ((COMP_CWORD == 1)); then
      while IFS=$'\t' read -r name letter kind choices; do
        [[ $kind == verb ]] && words+=("$name")
      done <<<"$table"
      COMPREPLY=($(compgen -W "${words[*]} --help --version" -- "$cur"))
      return
    fi
    table=${_vq_words[$tool-${COMP_WORDS[1]}]-}
    [[ -n $table ]] || return
  fi

  # bash breaks words at =, so that --metrics=fid comes as three.
  local option=$3
  if [[ $cur == = ]]; then cur=; elif [[ $option == = ]]; then option=${COMP_WORDS[COMP_CWORD - 2]}; fi
  if [[ $option == -* ]]; then
    while IFS=$'\t' read -r name letter kind choices; do
      [[ $option == "--$name" || $option == "-$letter" ]] || continue
      case $kind in
        file) COMPREPLY=($(compgen -f -- "$cur")) ;;
        words)
          # A list of words: the last one is being typed.
          local before=
          [[ $cur == *,* ]] && before=${cur%,*},
          COMPREPLY=($(compgen -P "$before" -W "$choices" -- "${cur##*,}"))
          ;;
      esac
      [[ $kind == nothing ]] || return
    done <<<"$table"
  fi

  if [[ $cur == -* ]]; then
    while IFS=$'\t' read -r name letter kind choices; do
      [[ -n $name ]] && words+=("--$name")
    done <<<"$table"
    COMPREPLY=($(compgen -W "${words[*]}" -- "$cur"))
  else
    COMPREPLY=($(compgen -f -- "$cur"))
  fi
}

complete -o filenames -F _vq_complete \
  vq-decode vq-encode vq-eval vq-import vq-info vq-sample vq-train
