#!/usr/bin/env bash
# The CPU build of torch as an image that builds can mount, taken from wherever this host's pip finds it: no public index
# but PyTorch's own has it, and a build sees neither that one nor this host's folders.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source ./host.sh

readonly name=warmstart-wheels

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if python3 -m pip download --quiet --no-deps --only-binary :all: --python-version 3.11 --dest "$folder" \
    --requirement ../../requirements/torch.txt 2>/dev/null; then
    printf 'FROM scratch\nCOPY *.whl /\n' | quietly docker build --tag "$name" --file - "$folder"
    say "$name holds $(cd "$folder" && echo *.whl): WHEELS_IMAGE=$name passes it to image builds"
else
    say "this host's pip finds no CPU build of torch: image builds ask TORCH_INDEX"
fi
