#define _GNU_SOURCE
#include "child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

// Between fork and exec only what POSIX calls async-signal-safe: other threads may hold any lock.

struct failure {
  int cause;
  char what[28];
};

static void fail(int report, const char *what) {
  struct failure failure = {errno, ""};
  strncpy(failure.what, what, sizeof failure.what - 1);
  (void)!write(report, &failure, sizeof failure);
  _exit(127);
}

static int loopback_up(void) {
  int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (any < 0) return -1;
  struct ifreq request = {0};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  int result = ioctl(any, SIOCSIFFLAGS, &request);
  close(any);
  return result;
}

static int send_descriptor(int through, int sent) {
  char byte = 0;
  struct iovec part = {&byte, 1};
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct msghdr message = {0};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &sent, sizeof(int));
  return sendmsg(through, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

int replay_child_take(int through) {
  char byte;
  struct iovec part = {&byte, 1};
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct msghdr message = {0};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  ssize_t got;
  do got = recvmsg(through, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  struct cmsghdr *header = got == 1 ? CMSG_FIRSTHDR(&message) : NULL;
  if (!header || header->cmsg_type != SCM_RIGHTS) return -1;
  int taken;
  memcpy(&taken, CMSG_DATA(header), sizeof(int));
  return taken;
}

static void isolate(const struct replay_child_plan *plan, int report) {
#ifdef __linux__
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 && unshare(CLONE_NEWNET) != 0) fail(report, "taking the network away");
  if (plan->listening < 0) return;
  if (loopback_up() != 0) fail(report, "raising the loopback");
  int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {0};
  address.sin_family = AF_INET;
  address.sin_port = htons(9001);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (listening < 0 || bind(listening, (struct sockaddr *)&address, sizeof address) != 0 || listen(listening, 16) != 0)
    fail(report, "listening in it");
  if (send_descriptor(plan->listening, listening) != 0) fail(report, "handing the socket over");
#else
  errno = ENOSYS;
  fail(report, "taking the network away");
#endif
}

static void become(const struct replay_child_plan *plan, int report, pid_t parent) {
  if (setpgid(0, 0) != 0) fail(report, "making a process group");
#ifdef __linux__
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail(report, "binding it to its parent");
  // It may have ended before it was asked for.
  if (getppid() != parent) _exit(127);
#endif
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  struct sigaction usual = {0};
  usual.sa_handler = SIG_DFL;
  for (int number = 1; number < 32; number++) sigaction(number, &usual, NULL);
  if (plan->isolated) isolate(plan, report);
  // First above 2, so that none is overwritten before it is used.
  int input = fcntl(plan->input, F_DUPFD, 3), output = fcntl(plan->output, F_DUPFD, 3);
  int errors = fcntl(plan->errors, F_DUPFD, 3);
  if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0) fail(report, "connecting it");
  // `report` ends by itself once the new program runs.
  int kept = report;
  if (kept != 3) {
    kept = dup2(report, 3);
    fcntl(3, F_SETFD, FD_CLOEXEC);
  }
#ifdef __linux__
  if (syscall(SYS_close_range, 4, ~0U, 0) != 0)
#endif
    for (int open = 4; open < 65536; open++) close(open);
  if (plan->directory && chdir(plan->directory) != 0) fail(kept, "changing to its directory");
  execve(plan->path, plan->arguments, plan->environment);
  fail(kept, "running it");
}

int replay_child_pipe(int ends[2]) {
#ifdef __linux__
  return pipe2(ends, O_CLOEXEC);
#else
  if (pipe(ends) != 0) return -1;
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  return 0;
#endif
}

static void keep(int told) {
  static pid_t leaders[4096];
  size_t count = 0;
  setpgid(0, 0);
  dup2(told, 0);
#ifdef __linux__
  syscall(SYS_close_range, 1, ~0U, 0);
#else
  for (int open = 1; open < 1024; open++) close(open);
#endif
  pid_t leader;
  ssize_t got;
  while ((got = read(0, &leader, sizeof leader)) != 0) {
    if (got < 0 && errno == EINTR) continue;
    if (got != sizeof leader) break;
    for (size_t place = 0; leader < 0 && place < count; place++)
      if (leaders[place] == -leader) leaders[place] = leaders[--count];
    if (leader > 0 && count < sizeof leaders / sizeof *leaders) leaders[count++] = leader;
  }
  for (size_t place = 0; place < count; place++) kill(-leaders[place], SIGKILL);
  _exit(0);
}

int replay_keeper_start(void) {
  int ends[2];
  if (replay_child_pipe(ends) != 0) return -1;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t keeper = fork();
  if (keeper == 0) keep(ends[0]);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(ends[0]);
  if (keeper > 0) return ends[1];
  close(ends[1]);
  return -1;
}

void replay_keeper_tell(int keeper, pid_t leader) { (void)!write(keeper, &leader, sizeof leader); }

pid_t replay_child_start(const struct replay_child_plan *plan, const char **failed) {
  static _Thread_local struct failure failure;
  int report[2];
  *failed = "making a pipe";
  if (replay_child_pipe(report) != 0) return -1;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) {
    become(plan, report[1], parent);
    _exit(127);
  }
  int cause = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(report[1]);
  if (child < 0) {
    close(report[0]);
    *failed = "starting a process";
    errno = cause;
    return -1;
  }
  ssize_t got;
  do got = read(report[0], &failure, sizeof failure);
  while (got < 0 && errno == EINTR);
  close(report[0]);
  if (got != sizeof failure) return child;
  *failed = failure.what;
  errno = failure.cause;
  return -child;
}
