// Has a sync fail for each file that there is of that name: the next one succeeds.
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int sync_by(long call, int file) {
    if (unlink(getenv("NEXT_SYNC_FAILS")) == 0) {
        errno = EIO;
        return -1;
    }
    return syscall(call, file);
}

int fdatasync(int file) { return sync_by(SYS_fdatasync, file); }
int fsync(int file) { return sync_by(SYS_fsync, file); }
