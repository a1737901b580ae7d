# The table of a schedule, for people; short enough to check by hand.
vq-info --schedule replace -T 3 -K 2
vq-info --schedule replace -T 2 -K 2 --json | sed 's,[0-9][0-9.]*\(e-[0-9]*\)*,#,g'
