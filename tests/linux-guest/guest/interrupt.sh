# In the guest, on a mounted NineDoor whose bridge has been stopped: a read that hangs can be interrupted, and nothing else hangs.
# Proves HOUSE-11.
set -eu
mkdir -p /tmp/m
mount -t 9p -o "trans=tcp,port=$PORT,version=9p2000.L,msize=8192,cache=none,uname=queen,aname=$TICKET" "$SERVER" /tmp/m
cat /tmp/m/gpu/GPU-0/info | grep -q '"id":"GPU-0"'
echo stop | nc "$SERVER" "$CONTROL"
if timeout -s INT 3 cat /tmp/m/gpu/GPU-0/info; then echo "a stopped bridge answered"; exit 1; fi
cat /tmp/m/proc/boot >/dev/null
echo continue | nc "$SERVER" "$CONTROL"
cat /tmp/m/gpu/GPU-0/info | grep -q '"id":"GPU-0"'
umount /tmp/m
echo "-- done"
