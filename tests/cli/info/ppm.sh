# A PPM stream: how many pictures; one that is cut short is named.
printf 'P6\n1 2\n255\nabcdef' >one.ppm
cat one.ppm one.ppm | vq-info
head -c 15 one.ppm >cut.ppm
vq-info --field whole cut.ppm
