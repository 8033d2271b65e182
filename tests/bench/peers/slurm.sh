#!/bin/sh
# A Slurm of one node, for bench-jobs to compare with: Debian's slurm-wlm and munge (apt-get install slurm-wlm munge), as root.
#
#   slurm.sh up DIR      starts munged, slurmctld and slurmd with everything below DIR; then: export SLURM_CONF=DIR/slurm.conf
#   slurm.sh down DIR    ends them
#
# Its own key, its own ports, no cgroups, no accounting, no prologue: the least that srun and sbatch can do. sched_interval
# and batch_sched_delay are set as Slurm's guide for high throughput has them, so that no job waits for a period to end.
set -eu

verb=${1:?up or down}
dir=${2:?a directory}

up() {
    mkdir -p "$dir/state" "$dir/spool" "$dir/munge"
    chmod 700 "$dir/munge"
    head -c 1024 /dev/urandom > "$dir/munge/key"
    chmod 600 "$dir/munge/key"
    host=$(hostname -s)
    cat > "$dir/slurm.conf" <<CONF
ClusterName=bench
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
MpiDefault=none
SlurmctldPort=26817
SlurmdPort=26818
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
CONF
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
        --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" --num-threads=2
    export SLURM_CONF="$dir/slurm.conf"
    slurmctld -f "$SLURM_CONF"
    slurmd -f "$SLURM_CONF"
    tries=0
    until [ "$(sinfo -h -o %t 2>/dev/null)" = idle ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ]; then
            echo "slurm.sh: the node does not become idle, see the logs in $dir" >&2
            exit 1
        fi
        sleep 0.1
    done
}

# Waits for each to end: what they write on their way out must not outlive DIR.
down() {
    for file in "$dir/slurmd.pid" "$dir/slurmctld.pid" "$dir/munge/pid"; do
        [ -s "$file" ] || continue
        pid=$(cat "$file")
        kill "$pid" 2>/dev/null || continue
        tries=0
        while [ -d "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null && [ "$tries" -lt 100 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
    done
}

case $verb in
up) up ;;
down) down ;;
*) echo "slurm.sh: wanted up or down, got $verb" >&2; exit 2 ;;
esac
