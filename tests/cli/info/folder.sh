# A folder is refused by name.
mkdir photos
vq-info photos
