#ifndef REPLAY_CHILD_H
#define REPLAY_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/// What a child process begins with. Everything else of the caller's is closed and forgotten.
struct replay_child_plan {
  const char *path;
  char *const *arguments;
  /// The whole environment.
  char *const *environment;
  /// NULL: the caller's.
  const char *directory;
  /// Descriptors for 0, 1 and 2.
  int input, output, errors;
  /// Whether it gets a network of its own, in which there is nothing but itself.
  bool isolated;
  /// With `isolated`: a socket to send a listening socket through that is in the child's network; -1: none is wanted.
  int listening;
};

/// Starts a process that leads a group of its own and is killed when the calling thread ends. -1: none; `*failed` is then
/// what failed and errno why. Below -1: its negative is a process that failed so and is to be waited for.
pid_t replay_child_start(const struct replay_child_plan *plan, const char **failed);

/// Starts a process that does nothing until this one ends, in whatever way: then it kills the groups that it was told of.
/// Returns where to tell it; -1 and errno where it cannot be started.
int replay_keeper_start(void);

/// Tells the keeper of a group (its leader's number), or, negative, that it is gone.
void replay_keeper_tell(int keeper, pid_t leader);

/// A pipe that no child inherits; -1 and errno where there is none.
int replay_child_pipe(int ends[2]);

/// Takes a descriptor that was sent through `socket`; -1: none came.
int replay_child_take(int socket);

#endif
