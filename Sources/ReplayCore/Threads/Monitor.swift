#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A value behind one lock, with one condition to wait on. Threads meet here once a block, never once an
/// event. `@unchecked Sendable`: the value is reached only while the lock is held.
package final class Monitor<Value>: @unchecked Sendable {
  private var value: Value
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  package init(_ value: Value) {
    self.value = value
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Changes the value and wakes everyone who waits.
  package func change<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer {
      pthread_cond_broadcast(condition)
      pthread_mutex_unlock(mutex)
    }
    return try body(&value)
  }

  /// Changes the value where nobody waits for the change.
  package func quietly<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&value)
  }

  /// Changes the value, and wakes everyone who waits if `body` then answers true for the second: that somebody may have
  /// waited for this.
  package func tell<Result>(_ body: (inout Value) throws -> (Result, Bool)) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    let (result, isNews) = try body(&value)
    if isNews { pthread_cond_broadcast(condition) }
    return result
  }

  /// Waits until `body` answers something, and wakes everyone else, unless `quietly`: where nobody waits for what it
  /// changes.
  package func wait<Result>(quietly: Bool = false, _ body: (inout Value) throws -> Result?) rethrows -> Result {
    pthread_mutex_lock(mutex)
    defer {
      if !quietly { pthread_cond_broadcast(condition) }
      pthread_mutex_unlock(mutex)
    }
    while true {
      if let result = try body(&value) { return result }
      pthread_cond_wait(condition, mutex)
    }
  }

  /// Waits until `body` answers something, or for `milliseconds`.
  package func wait<Result>(milliseconds: Int, _ body: (inout Value) throws -> Result?) rethrows -> Result? {
    var deadline = timespec()
    clock_gettime(CLOCK_REALTIME, &deadline)
    deadline.tv_nsec += milliseconds % 1000 * 1_000_000
    deadline.tv_sec += milliseconds / 1000 + deadline.tv_nsec / 1_000_000_000
    deadline.tv_nsec %= 1_000_000_000
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let result = try body(&value) { return result }
      if pthread_cond_timedwait(condition, mutex, &deadline) != 0 { return try body(&value) }
    }
  }
}

/// A thread with a name, joined before its owner goes on. Stages run on own threads because a blocked call on the
/// cooperative pool would freeze a small machine.
package final class NamedThread {
  private var thread = pthread_t()

  private final class Start {
    let name: String
    let body: @Sendable () -> Void
    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Throws `.temporary` where the system gives no thread.
  package init(_ name: String, _ body: @escaping @Sendable () -> Void) throws {
    let start = Unmanaged.passRetained(Start(name, body)).toOpaque()
    #if canImport(Darwin)
      var created: pthread_t?
      let failed = pthread_create(&created, nil, { pointer in NamedThread.run(pointer) }, start)
      if let created { thread = created }
    #else
      let failed = pthread_create(&thread, nil, { pointer in NamedThread.run(pointer.unsafelyUnwrapped) }, start)
    #endif
    guard failed == 0 else {
      Unmanaged<Start>.fromOpaque(start).release()
      throw ReplayError(
        .temporary, "the system gave no thread", details: [String(cString: strerror(failed))],
        next: "run with fewer --lanes, or raise the limits on memory and threads")
    }
  }

  private static func run(_ pointer: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    let start = Unmanaged<Start>.fromOpaque(pointer).takeRetainedValue()
    // The calling thread's name, as `top -H` and a debugger show it: Linux takes it from this file.
    let names = open("/proc/thread-self/comm", O_WRONLY)
    if names >= 0 {
      _ = start.name.withCString { write(names, $0, min(15, start.name.utf8.count)) }
      close(names)
    }
    start.body()
    return nil
  }

  package func join() { pthread_join(thread, nil) }
}
