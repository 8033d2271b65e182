# In the guest: the main job with nothing but a shell. Stage with cp, lease with echo, job with cp, poll, read the result.
# Proves HOUSE-10.
set -eu
mkdir -p /tmp/m /tmp/in
mount -t 9p -o "trans=tcp,port=$PORT,version=9p2000.L,msize=65536,cache=none,uname=queen,aname=$TICKET" "$SERVER" /tmp/m
m=/tmp/m

for input in vadd.ptx vadd.a.f32 vadd.b.f32; do cp "/rig/files/$input" "$m/bundles/$input"; done
echo "LEASE mem_mb=64 streams=1 ttl_s=60" > "$m/gpu/GPU-0/ctl"
cp /rig/files/vadd.json "$m/gpu/GPU-0/job"

tries=0
until grep '"job":"vadd"' "$m/gpu/GPU-0/stats" | grep -q '"state":"OK"'; do
    tries=$((tries + 1))
    if [ $tries -gt 30 ]; then cat "$m/gpu/GPU-0/stats"; exit 1; fi
    sleep 1
done
grep '"job":"vadd"' "$m/gpu/GPU-0/stats"
cmp "$m/worker/vadd/sum.f32" /rig/files/wanted.f32
umount /tmp/m
echo "-- done"
