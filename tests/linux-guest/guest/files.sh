# In the guest: what people do to files, done to a mounted bridge. Wants $TICKET (queen) in the environment.
# Proves HOUSE-9.
set -eu
say() { echo "-- $*"; }
mount_bridge() { mount -t 9p -o "trans=tcp,port=$PORT,version=9p2000.L,msize=65536,cache=none,access=user,uname=queen,aname=$TICKET" "$SERVER" "$1"; }
control() { echo "$1" | nc "$SERVER" "$CONTROL"; }

mkdir -p /tmp/m && mount_bridge /tmp/m && cd /tmp/m
say "Linux $(uname -r)"

say "ls and find"
ls -l / >/dev/null; ls -l . ; ls -l gpu/GPU-0
test "$(find gpu/GPU-0 -type f | sort | tr '\n' ' ')" = "gpu/GPU-0/ctl gpu/GPU-0/info gpu/GPU-0/job gpu/GPU-0/lease gpu/GPU-0/stats "

say "cat"
cat gpu/GPU-0/info | grep -q '"id":"GPU-0"'

say "df"
df . | grep -q /tmp/m

say "append and truncate on a control file"
echo "RELEASE" >> gpu/GPU-0/ctl || true
echo "LEASE mem_mb=64 streams=1 ttl_s=60" > gpu/GPU-0/ctl
cat gpu/GPU-0/ctl | grep -q "OK LEASE id=lease-"

say "tail -f sees new records"
tail -f log/bridge.log > /tmp/tailed &
tailing=$!
sleep 2
echo "RELEASE" > gpu/GPU-0/ctl
sleep 3
kill $tailing
grep -q 'line="LEASE' /tmp/tailed
grep -q 'line="RELEASE' /tmp/tailed

say "dd 10 MB in and out"
dd if=/dev/urandom of=/tmp/ten bs=1M count=10 2>/dev/null
dd if=/tmp/ten of=bundles/ten bs=64k 2>/dev/null
want=$(sha256sum < /tmp/ten)
test "$(dd if=bundles/ten bs=64k 2>/dev/null | sha256sum)" = "$want"
test "$(sha256sum < bundles/ten)" = "$want"

say "a second user has an attach of its own"
adduser -D -u 1000 guest 2>/dev/null || echo 'guest:x:1000:1000::/:/bin/sh' >> /etc/passwd
su guest -s /bin/sh -c 'cat /tmp/m/gpu/GPU-0/info' | grep -q '"id":"GPU-0"'

say "refusals arrive, and can be read"
if sh -c 'echo x > gpu/GPU-0/info' 2>/dev/null; then echo "a read-only file was opened for writing"; exit 1; fi
echo "LEASE mem_mb=999999999 streams=1 ttl_s=60" > gpu/GPU-0/ctl 2>/dev/null || true
cat gpu/GPU-0/ctl | grep -q "ERR LEASE"
if cat gpu/GPU-9/info 2>/dev/null; then echo "a GPU that is not there was read"; exit 1; fi

say "the server dies, comes back, and a new mount works"
control restart
if cat gpu/GPU-0/info >/dev/null 2>&1; then echo "a dead server answered"; exit 1; fi
cd / && umount /tmp/m
mount_bridge /tmp/m
cat /tmp/m/gpu/GPU-0/info | grep -q '"id":"GPU-0"'
umount /tmp/m
say done
