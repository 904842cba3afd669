// Runs a program on some bytes and returns what it writes, without a shell.
import Glibc

/// The time that a program may take.
private let timeLimit: Duration = .seconds(120)

/// Runs a program that is found as the system finds programs.
///
/// - Parameters:
///   - name: The name of the program.
///   - arguments: Its arguments.
///   - package: The package to install if it is not there.
///   - input: Its standard input.
/// - Returns: Its standard output.
/// - Throws: ``DrawingError/missingProgram(_:package:)``,
///   ``DrawingError/programFailed(_:message:)``.
package func run(
  _ name: String, _ arguments: [String], package: String, input: [UInt8]
) throws(DrawingError) -> [UInt8] {
  // Files, not pipes: neither side can wait for the other.
  let (source, output, complaints) = try (
    TemporaryFile(name), TemporaryFile(name), TemporaryFile(name)
  )
  try source.write(input, for: name)
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_adddup2(&actions, source.descriptor, 0)
  posix_spawn_file_actions_adddup2(&actions, output.descriptor, 1)
  posix_spawn_file_actions_adddup2(&actions, complaints.descriptor, 2)
  var words: [UnsafeMutablePointer<CChar>?] = ([name] + arguments).map { strdup($0) } + [nil]
  defer { for word in words { free(word) } }
  var process: pid_t = 0
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  setPlainSignals(&attributes)
  let code = posix_spawnp(&process, name, &actions, &attributes, &words, environ)
  guard code != ENOENT else { throw .missingProgram(name, package: package) }
  guard code == 0 else {
    throw .programFailed(name, message: String(cString: strerror(code)))
  }
  let status = try wait(for: process, name)
  let message = String(decoding: complaints.content(), as: UTF8.self)
  guard status == 0 else {
    let reason = message.split(separator: "\n").first.map(String.init)
    throw .programFailed(name, message: reason ?? "ended with status \(status)")
  }
  return output.content()
}

/// Starts a child with no signal blocked or ignored, even if this process blocks or ignores some.
private func setPlainSignals(_ attributes: inout posix_spawnattr_t) {
  var none = sigset_t()
  var all = sigset_t()
  sigemptyset(&none)
  sigfillset(&all)
  posix_spawnattr_setsigmask(&attributes, &none)
  posix_spawnattr_setsigdefault(&attributes, &all)
  posix_spawnattr_setflags(
    &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
}

/// The exit status, or 128 and the signal.
private func wait(for process: pid_t, _ name: String) throws(DrawingError) -> Int32 {
  let clock = ContinuousClock()
  let begin = clock.now
  var status: Int32 = 0
  var pause: UInt32 = 200
  while true {
    let ended = waitpid(process, &status, WNOHANG)
    if ended == process { break }
    if ended < 0, errno != EINTR {
      throw .programFailed(name, message: String(cString: strerror(errno)))
    }
    if begin.duration(to: clock.now) > timeLimit {
      kill(process, SIGKILL)
      waitpid(process, &status, 0)
      throw .programFailed(
        name, message: "took longer than \(timeLimit.components.seconds) s; draw less detail")
    }
    usleep(pause)
    pause = min(pause * 2, 20000)
  }
  let signal = status & 0x7F
  return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
}

/// A file without a name, gone when it is let go.
private final class TemporaryFile {
  let descriptor: Int32

  init(_ program: String) throws(DrawingError) {
    guard let file = tmpfile() else {
      throw .programFailed(program, message: "temporary file: \(String(cString: strerror(errno)))")
    }
    // Away from 0, 1 and 2, should the caller have closed one of these; not for other children.
    descriptor = fcntl(fileno(file), F_DUPFD_CLOEXEC, 3)
    fclose(file)
    guard descriptor >= 0 else {
      throw .programFailed(program, message: "temporary file: \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(descriptor) }

  /// Writes all of `bytes` and goes back to the beginning.
  func write(_ bytes: [UInt8], for program: String) throws(DrawingError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        Glibc.write(
          descriptor, UnsafeRawBufferPointer(rebasing: buffer[done...]).baseAddress,
          bytes.count - done)
      }
      guard count > 0 || errno == EINTR else {
        throw .programFailed(
          program, message: "temporary file: \(String(cString: strerror(errno)))")
      }
      done += max(count, 0)
    }
    lseek(descriptor, 0, SEEK_SET)
  }

  func content() -> [UInt8] {
    let byteCount = Int(lseek(descriptor, 0, SEEK_END))
    guard byteCount > 0 else { return [] }
    return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      count = max(pread(descriptor, buffer.baseAddress, byteCount, 0), 0)
    }
  }
}
