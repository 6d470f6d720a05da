#!/bin/sh
# Make a pretrained model anew: fetch what it learns from, draw, build, train.
#
#     sh pretrained/make.sh japanese
#     sh pretrained/make.sh chinese
#
# Run it in the top folder of the project, in its environment. It takes hours on a CPU; an
# interrupted training goes on with the last command and --resume.
set -eu
which=${1:?"name one: japanese or chinese"}
case $which in
    japanese) classes="hiragana katakana latin digits jis1" count=110 ;;
    chinese) classes="gb1" count=100 ;;
    *) echo "$which: not japanese or chinese" >&2; exit 2 ;;
esac
sources=${XDG_CACHE_HOME:-$HOME/.cache}/glyphs/$which
mkdir -p "made/$which"
python fetch_sources.py "$which"
python draw_samples.py "made/$which/drawn" --classes $classes --count $count \
    --label-encoding unicode --strokes "$sources"/strokes/* --font "$sources"/fonts/*
python create_dataset.py "made/$which/drawn" --split 97 1.5 1.5 --output "made/$which/dataset"
python train.py "made/$which/dataset" --network glyphnet-many --epochs 3 --half-precision \
    --output "made/$which/model"
python evaluate.py "made/$which/dataset" --model "made/$which/model" --calibrate
