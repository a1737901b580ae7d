# A model file: kind, configuration, parameters; from standard input too; cut short it is damaged.
header='{"__metadata__":{"vq.kind":"codec","vq.config":"{\"codebook\":512}"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}'
{
  printf "\\$(printf %03o ${#header})\\0\\0\\0\\0\\0\\0\\0"
  printf '%s\0\0\0\0\0\0\0\0' "$header"
} >m.safetensors
vq-info --tensors m.safetensors
vq-info --field parameters <m.safetensors
head -c 139 m.safetensors >cut.safetensors
vq-info --field whole cut.safetensors
