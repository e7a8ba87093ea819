"""One larger run trained by several processes: every batch is split over them, weights and optimiser too.

    torchrun --nproc-per-node 2 -m kleiber.lab.parallel LADDER.toml [--only NAME] [--results FOLDER]

Over GPUs by NCCL where there are any, else over CPUs by gloo. Checkpoints and rows are those of one process, so that a run may
move between one process and many. `ranks` joins the processes, `sharded` holds the weights.
"""
