#!/bin/sh
# Fails when a folder of src/ includes one that its CMakeLists.txt does not name: arrows go down, never up.
# The one place that says which arrows are allowed is the DEPENDS list of each folder.
set -eu
cd "$(dirname "$0")/.."
for list in src/*/CMakeLists.txt; do
    folder=$(basename "$(dirname "$list")")
    allowed=" $folder $(sed -n 's/.*DEPENDS \([a-z ]*\).*/\1/p' "$list") "
    grep -rHoE '^ *# *include "[a-z_0-9]+/' "src/$folder" --include='*.hpp' --include='*.cpp' |
        awk -v folder="$folder" -v allowed="$allowed" '
            { split($0, part, ":"); target = part[2]; sub(/.*"/, "", target); sub(/\/.*/, "", target)
              if (index(allowed, " " target " ") == 0) {
                  printf "%s: includes %s/, but src/%s/CMakeLists.txt does not allow it\n", part[1], target, folder
                  wrong = 1 } }
            END { exit wrong }' || status=1
done
exit "${status:-0}"
