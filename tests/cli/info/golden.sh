# Every token grid under tests/golden: those in passed/ are whole, those in failed/ are named and not.
# Read as records (--text): some of the failed ones are not to be recognised as token grids at all.
find "$TESTS/golden" -type f \( -path '*/passed/*' -o -path '*/failed/*' \) ! -name '*.md' 2>/dev/null | sort >list
[ -s list ] || { echo "tests/golden is empty"; exit 77; }
while read -r file; do
  vq-info --text "$file" >out 2>err
  status=$?
  case $file in
    */passed/*)
      if [ $status != 0 ]; then echo "not whole: $file: $(cat err)"; fi ;;
    */failed/*)
      if [ $status != 1 ]; then echo "not noticed: $file: status $status"; fi
      grep -q "^vq-info: .*$(basename "$file")" err || echo "does not name $file: $(cat err)"
      if grep -v '^vq-info: ' err; then echo "a line without the program's name: $file"; fi ;;
  esac
done <list
