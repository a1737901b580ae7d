# The numbers of --schedule against the definitions: rows sum to one, each step follows from the cumulated
# values on both sides, and linear is the released ramp.
. "$TESTS/cli/help.sh"

# columns NAME T K: six columns of T numbers, with all their digits
columns() {
  for field in alpha beta gamma alpha_bar beta_bar gamma_bar; do
    vq-info --schedule $1 -T $2 -K $3 --field $field | tr -d '[]' | tr ',' '\n' >$field || exit 1
  done
  paste alpha beta gamma alpha_bar beta_bar gamma_bar
}

near='function near(what, a, b, by) { if (a - b > by || b - a > by) { print what " at t = " NR ": " a ", not " b; bad = 1 } }'

for name in linear replace cosine arccos; do
  for size in "100 2887" "1 5" "7 1"; do
    set -- $size
    columns $name $1 $2 >table || fail "$name: no table"
    awk -v k=$2 -v steps=$1 "$near"'
      BEGIN { a = 1; c = 0 }
      {
        near("sum of a row", $1 + k * $2 + $3, 1, 1e-13)
        near("sum of a row with bars", $4 + k * $5 + $6, 1, 1e-13)
        near("alpha", $1, $4 / a, 1e-13)
        near("gamma", $3, 1 - (1 - $6) / (1 - c), 1e-13)
        a = $4; c = $6
      }
      END { if (NR != steps) { print NR " steps, not " steps; bad = 1 }; exit bad }' table ||
      fail "$name -T $1 -K $2"
  done
done

columns linear 100 2887 >table
awk "$near"'
  { ramp = (NR - 1) / 99
    near("alpha_bar", $4, 0.99999 + ramp * (0.000009 - 0.99999), 1e-14)
    near("gamma_bar", $6, 0.000009 + ramp * (0.99999 - 0.000009), 1e-14)
    near("K beta_bar", 2887 * $5, 1e-6, 1e-12) }
  NR == 2 { near("alpha", $1, 0.989899081, 1e-9) }
  NR == 50 { near("gamma", $3, 0.0196074625, 1e-9); near("alpha_bar", $4, 0.505049909, 1e-9) }
  NR == 100 { near("alpha", $1, 0.000890223725, 1e-11) }
  END { exit bad }' table || fail "linear is not the released one"

columns cosine 100 16 >table
awk "$near"'
  { near("gamma_bar", $6, 0.99999 * sin(atan2(0, -1) / 2 * NR / 100), 1e-14); near("beta", $2, 0, 0) }
  END { exit bad }' table || fail "cosine is not MaskGIT's"
