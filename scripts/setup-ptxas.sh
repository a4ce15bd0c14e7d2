#!/usr/bin/env bash
# NVIDIA's assembler and device library, from its package on PyPI, for the tests of plugins/backend-cuda:
# no driver and no card needed. Prints the variables to set:
#
#     eval "$(scripts/setup-ptxas.sh)"
set -euo pipefail
folder=${XDG_CACHE_HOME:-$HOME/.cache}/mirage-ptxas
if [ ! -x "$folder/bin/python" ]; then
  python3 -m venv "$folder" >&2
fi
"$folder/bin/python" -c 'import nvidia.cuda_nvcc' 2>/dev/null ||
  "$folder/bin/python" -m pip install --quiet 'nvidia-cuda-nvcc-cu12==12.9.*' >&2
root=$("$folder/bin/python" -c 'import nvidia.cuda_nvcc as n; print(list(n.__path__)[0])')
echo "export PTXAS=$root/bin/ptxas CUDA_PATH=$root"
