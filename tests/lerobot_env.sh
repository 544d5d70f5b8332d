#!/usr/bin/env bash
# Makes DIR/python: an interpreter with unmodified upstream LeRobot, for the tests that read our datasets with it.
#   tests/lerobot_env.sh DIR && HANDOFF_LEROBOT_PYTHON=DIR/python make test
set -euo pipefail
mkdir -p "${1:?usage: lerobot_env.sh DIR}"
folder=$(cd "$1" && pwd)
[ -x "$folder/python" ] && exit 0
"${PYTHON:-python3.11}" -m venv "$folder/venv"
python=$folder/venv/bin/python
install() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }

# LeRobot 0.4.4 is the newest for Python 3.11; its own pins exclude a torch that exists for CPU only, so pip
# complains about them here: that is expected, the last line proves that the result imports.
install "torch==2.13.0+cpu" 2>/dev/null || install torch==2.13.0
install --no-deps lerobot==0.4.4 torchvision==0.28.0 torchcodec==0.13.0 accelerate
install "numpy<2.4" "pandas<3" pyarrow==24.0.0 datasets==4.8.5 huggingface-hub av==15.1.0 pillow einops draccus==0.10.0 \
  gymnasium deepdiff termcolor jsonlines tqdm safetensors packaging==25.0 psutil pyyaml "opencv-python-headless<4.14"

# torchcodec wants FFmpeg's libraries by their plain names; PyAV's wheel brings them under hashed ones.
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
mkdir -p "$folder/ffmpeg"
for library in "$site"/av.libs/lib{avcodec,avdevice,avfilter,avformat,avutil,swresample,swscale}-*.so.*; do
  name=$(basename "$library")
  major=${name##*.so.}
  ln -sf "$library" "$folder/ffmpeg/${name%%-*}.so.${major%%.*}"
done

cat > "$folder/python.part" <<END
#!/usr/bin/env bash
export LD_LIBRARY_PATH="$folder/ffmpeg:$site/av.libs" HF_HUB_OFFLINE=1 HF_HOME="$folder/cache" OMP_NUM_THREADS=1
exec "$python" "\$@"
END
chmod +x "$folder/python.part"
"$folder/python.part" -c "import lerobot, torchcodec"
mv "$folder/python.part" "$folder/python"
