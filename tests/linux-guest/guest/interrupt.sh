# In the guest, on a mounted NineDoor whose bridge has been stopped: a read that hangs can be interrupted, and nothing else hangs.
# Proves HOUSE-11.
set -eu
seconds() { cut -d. -f1 /proc/uptime; }
info() { cat /tmp/m/gpu/GPU-0/info | grep -q '"id":"GPU-0"'; }

mkdir -p /tmp/m
mount -t 9p -o "trans=tcp,port=$PORT,version=9p2000.L,msize=8192,cache=none,uname=queen,aname=$TICKET" "$SERVER" /tmp/m
info
echo '-- the bridge stops'
echo stop | nc "$SERVER" "$CONTROL"
start=$(seconds)
if timeout -s INT 3 cat /tmp/m/gpu/GPU-0/info; then echo "a stopped bridge answered"; exit 1; fi
took=$(($(seconds) - start))
echo "-- interrupted after $took s"
test $took -lt 15
echo '-- the rest of the tree answers'
cat /tmp/m/proc/boot >/dev/null
echo '-- the bridge goes on'
echo continue | nc "$SERVER" "$CONTROL"
tries=0
until info 2>/dev/null; do
    tries=$((tries + 1))
    if [ $tries -gt 20 ]; then echo "the bridge is not seen again"; exit 1; fi
    sleep 1
done
umount /tmp/m
echo "-- done"
