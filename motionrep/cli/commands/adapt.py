"""`motionrep adapt`."""

from motionrep.cli.options import Parser

EXAMPLES = """\
  motionrep adapt --body smpl-neutral
  motionrep adapt --body SMPL_FEMALE.pkl
  motionrep adapt --body smplx-male
"""


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--body", required=True, metavar="NAME", help="The body: smpl-neutral, smplh-male, smplx-female, ... or a file."
    )


def run(body: str) -> None:
    """Lets heads that recover the open body give their results on another body, such as SMPL's."""
    from motionrep.body import load_body_model
    from motionrep.fitting.body_mapping import find_mapping, save_mapping
    from motionrep.pipeline.on_body import mapping_file

    if body == "open":
        raise ValueError("--body open: the shipped heads recover it already; name another body")
    model = load_body_model(body)
    mapping = find_mapping(model)
    path = mapping_file(model)
    save_mapping(mapping, path)
    print(
        f"on bodies and poses it was not fitted to, joints are {mapping.joint_error_mm:.1f} mm and landmarks "
        f"{mapping.landmark_error_mm:.1f} mm off, on average"
    )
    print(f"{path}: the mapping from the open body to {body}; predict, render and evaluate take it with --body {body}")
