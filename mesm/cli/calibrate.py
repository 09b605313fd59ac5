"""`mesm calibrate`: show and renew what a sparse convolution costs on this machine."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm calibrate`."""
    parser.epilog = (
        "backend=auto measures each backend for about three seconds at its first use on a device and type, and keeps the\n"
        "costs per processor, number of threads, type and version of torch.\n"
        "example:\n  mesm calibrate --renew"
    )
    parser.add_argument("--renew", action="store_true", help="measure again, on a machine without other work")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default)")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float16", "bfloat16"])


def run(arguments: argparse.Namespace) -> int:
    """Print the costs, and which backend they choose for MESM's convolutions over the share of active sites."""
    import torch

    from mesm.runtime import pick_device
    from mesm.sparse import calibration
    from mesm.sparse.backend_costs import fastest

    device, dtype = torch.device(pick_device(arguments.device)), getattr(torch, arguments.dtype)
    if len(calibration.backends(device, dtype)) == 1:
        print(f"{calibration.key(device, dtype)}: only dense runs, nothing to choose")
        return 0
    costs = (calibration.renew if arguments.renew else calibration.costs_here)(device, dtype)
    assert costs is not None
    print(f"{calibration.key(device, dtype)} ({calibration.path()})")
    for name, cost in costs.items():
        print(f"  {name:7s} {cost.call / 1e3:7.1f} us a call, {1 / max(cost.mac, 1e-9):6.1f} GMAC/s")
    print("choice at 16 segments by the share of active sites, in no pattern:")
    shares = (0.2, 0.4, 0.6, 0.8, 1.0)
    print("  convolution       " + "".join(f"{share:>9g}" for share in shares))
    for c_in, c_out, side in ((16, 32, 24), (64, 64, 12), (64, 128, 24), (256, 256, 12), (512, 512, 6)):
        positions = 16 * side * side
        names = [fastest(costs, positions, round(9 * positions * share**2), c_in, c_out) for share in shares]
        print(f"  {f'{c_in} -> {c_out}, {side} x {side}':18s}" + "".join(f"{name:>9s}" for name in names))
    return 0
