"""Serve a page to draw and drop characters on, and a model's answers over HTTP.

    python serve.py --model pretrained/devanagari/model
    curl --data-binary @a.png http://127.0.0.1:8000/classify

The page shows the ten best answers to a drawing or to pictures, offers the models found beside the
given one, and works without a network. With --collect it keeps the pictures that one corrects in
class folders, which create_dataset.py reads. Only this machine can ask, unless --host says so.
"""

import sys

from glyphs import console, options


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    parser.add_argument(
        "--model",
        default="model",
        metavar="PREFIX",
        help="beginning of the model files' names, or their folder",
    )
    parser.add_argument(
        "--collect",
        metavar="DIR",
        help="keep corrected pictures in this folder, as class folders",
    )
    network = parser.add_argument_group("network")
    network.add_argument(
        "--port",
        type=options.integer(0, 65535),
        default=8000,
        metavar="N",
        help="to listen at; 0 for any that is free",
    )
    network.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="to listen at; another than this machine's own lets others ask too",
    )
    network.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which browsers may call this server, beside its address; may be repeated",
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    from glyphs.artifacts.paths import find_model
    from glyphs.web import server
    from glyphs.web.app import App
    from glyphs.web.collect import Collection
    from glyphs.web.limits import Limits

    bound = server.listen(args.host, args.port)
    with bound:
        limits = Limits()
        collection = Collection(args.collect) if args.collect else None
        app = App(find_model(args.model), collection, limits, console.warn)
        names, is_open = server.names_of(bound, args.host, args.allow_host)
        if is_open:
            console.warn(
                f"listens on {args.host}: whoever reaches this machine can ask the model"
                + (f" and add pictures to {args.collect}" if args.collect else "")
            )
        try:
            server.run(
                app.asgi(names, is_open),
                bound,
                limits,
                lambda: console.say(f"{server.url_of(bound)}   (Ctrl-C ends it)"),
            )
        finally:
            app.close()


if __name__ == "__main__":
    sys.exit(console.run(main))
