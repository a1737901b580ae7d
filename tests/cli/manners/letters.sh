# A letter means the same in every program. One exception: vq-info has -f NAME for a member of the report, and --force
# in full.
. "$TESTS/cli/help.sh"
for verb in "" $(verbs $TOOL); do
  $TOOL $verb --help=words | awk -F '\t' -v tool="$TOOL" '
    BEGIN { split("m model o output b batch d device s seed f force q quiet v verbose j threads t text h help V version", w, " ")
            for (i = 1; i in w; i += 2) name[w[i]] = w[i + 1]
            if (tool == "vq-info") name["f"] = "field" }
    NF != 4 { print "not four fields: " $0; bad = 1 }
    $2 in name && $1 != name[$2] && $3 != "verb" { print "-" $2 " is --" $1 ", not --" name[$2]; bad = 1 }
    $1 !~ /^[a-z][a-z0-9-]+$/ { print "not a name for an option: " $1; bad = 1 }
    END { exit bad }' || exit 1
done
