#!/bin/sh
# Make a pretrained model anew: fetch what it learns from, draw, build, train.
#
#     sh pretrained/make.sh japanese
#     sh pretrained/make.sh chinese
#
# Run it in the top folder of the project, in its environment. Each pass learns from newly drawn
# pictures, and goes on from the one before; the model is the mean of the last two. It takes hours on
# a CPU; what is done already is not done again.
set -eu
export LC_ALL=C  # the order of the fonts decides what is drawn
which=${1:?"name one: japanese or chinese"}
case $which in
    japanese) classes="hiragana katakana latin digits jis1" count=110 ;;
    chinese) classes="gb1" count=100 ;;
    *) echo "$which: not japanese or chinese" >&2; exit 2 ;;
esac
sources=${XDG_CACHE_HOME:-$HOME/.cache}/glyphs/$which
python fetch_sources.py "$which" || {
    echo "$0: lay what is missing where it was said to belong, and run this again" >&2
    exit 1
}
previous=
for pass in 1 2 3; do
    made=made/$which/$pass
    mkdir -p "$made"
    if ! [ -e "$made/dataset" ]; then
        rm -rf "$made/drawn"
        python draw_samples.py "$made/drawn" --seed $pass --classes $classes --count $count \
            --label-encoding unicode --strokes "$sources"/strokes/* --font "$sources"/fonts/*
        python create_dataset.py "$made/drawn" --split 97 1.5 1.5 --output "$made/dataset"
        rm -r "$made/drawn"
    fi
    if ! [ -e "$made/model_architecture.json" ]; then
        python train.py "$made/dataset" --network glyphnet-many --epochs 1 --half-precision \
            --resume --output "$made/model" ${previous:+--init "$previous" --learning-rate .002}
    fi
    previous=$made/model
done
python pretrained/average.py "made/$which/3/dataset" "made/$which/model" \
    "made/$which/2/model" "made/$which/3/model"
python evaluate.py "made/$which/3/dataset" --model "made/$which/model" --calibrate
