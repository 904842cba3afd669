// The one lock around libhdf5, the lifetimes of its ids, and its error stack.

import CHDF5
import Glibc

/// Returns the version of libhdf5 in use, such as `1.10.8`.
public func libraryVersion() -> String {
  Library.enter()
  defer { Library.leave() }
  var (major, minor, release): (UInt32, UInt32, UInt32) = (0, 0, 0)
  guard H5get_libversion(&major, &minor, &release) >= 0 else { return "unknown" }
  return "\(major).\(minor).\(release)"
}

/// The lock that gives libhdf5 one owner at a time.
///
/// It is recursive, because releasing an object within a call takes it again.
enum Library {
  private struct Lock: @unchecked Sendable {
    let mutex: UnsafeMutablePointer<pthread_mutex_t>
  }

  private static let lock: Lock = {
    let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_RECURSIVE))
    pthread_mutex_init(mutex, &attributes)
    pthread_mutexattr_destroy(&attributes)
    return Lock(mutex: mutex)
  }()

  /// Indicates whether libhdf5 has been kept from loading plug-ins, which happens before the first call.
  ///
  /// For an unknown filter, libhdf5 would otherwise load every library in HDF5_PLUGIN_PATH and in a
  /// system folder, merely because a file asks for it.
  private static let refusesPlugins = H5PLset_loading_state(0) >= 0

  /// Waits for libhdf5 and silences its printing: the error stack belongs to the calling thread.
  static func enter() {
    pthread_mutex_lock(lock.mutex)
    H5Eset_auto2(chdf5_error_stack(), nil, nil)
    precondition(refusesPlugins, "libhdf5 cannot be kept from loading plug-ins")
  }

  static func leave() {
    pthread_mutex_unlock(lock.mutex)
  }

  /// Returns a name that no open file has; the caller holds the lock.
  ///
  /// libhdf5 takes files in memory with equal names for the same file.
  static func uniqueName() -> String {
    memoryFileCount += 1
    return "in memory \(memoryFileCount)"
  }

  nonisolated(unsafe) private static var memoryFileCount = 0
}

/// An id of libhdf5 with one owner, released when the owner goes out of scope.
struct Identifier: ~Copyable {
  let raw: hid_t

  deinit {
    Library.enter()
    H5Idec_ref(raw)
    Library.leave()
  }
}

/// The context of calls: the file's name, for their errors.
struct Scope {
  let file: String

  /// Takes ownership of a new id.
  func identifier(
    _ raw: hid_t, _ action: @autoclosure () -> String
  ) throws(HDF5Error) -> Identifier {
    guard raw >= 0 else { throw failure(action()) }
    return Identifier(raw: raw)
  }

  /// Returns `status`, or throws if it is negative.
  @discardableResult
  func check<Status: SignedInteger>(
    _ status: Status, _ action: @autoclosure () -> String
  ) throws(HDF5Error) -> Status {
    guard status >= 0 else { throw failure(action()) }
    return status
  }

  /// Returns the error for the call that just failed on this thread, from libhdf5's error stack.
  func failure(_ action: String) -> HDF5Error {
    var messages = Messages()
    // Downward means from the call we made to the point of failure.
    withUnsafeMutablePointer(to: &messages) { messages in
      _ = H5Ewalk2(
        chdf5_error_stack(), H5E_WALK_DOWNWARD,
        { _, entry, client in
          guard let entry, let description = entry.pointee.desc,
            let messages = client?.assumingMemoryBound(to: Messages.self)
          else { return 0 }
          let text = reason(String(cString: description))
          if messages.pointee.top == nil { messages.pointee.top = text }
          messages.pointee.bottom = text
          return 0
        }, messages)
    }
    let top = messages.top ?? "unknown reason"
    return .library(file: file, action: action, top: top, bottom: messages.bottom ?? top)
  }

  private struct Messages {
    var top: String?
    var bottom: String?
  }
}

extension Scope {
  /// Returns access properties for links within the file; external links are refused.
  func linkAccess(_ propertyClass: hid_t) throws(HDF5Error) -> Identifier {
    let access = try identifier(H5Pcreate(propertyClass), "make a property list")
    let refuse: H5L_elink_traverse_t = { _, _, _, _, _, _, _ in -1 }
    try check(H5Pset_elink_cb(access.raw, refuse, nil), "refuse external links")
    return access
  }

  /// Returns creation properties of an object whose bytes do not depend on the time.
  func timelessCreation(_ propertyClass: hid_t) throws(HDF5Error) -> Identifier {
    let creation = try identifier(H5Pcreate(propertyClass), "make a property list")
    try check(H5Pset_obj_track_times(creation.raw, false), "switch off time stamps")
    return creation
  }
}

/// Shortens libhdf5's message about a system call, which has several lines and addresses, to the system's reason.
///
/// `file read failed: time = …\n, filename = …, error message = 'Input/output error', buf = …` becomes
/// `file read failed: Input/output error`.
private func reason(_ message: String) -> String {
  guard
    let match = message.firstMatch(
      of: /: (?:time|name|filename) = .*error message = '([^']*)'/.dotMatchesNewlines())
  else { return message.split(separator: "\n").joined(separator: " ") }
  return "\(message[..<match.range.lowerBound]): \(match.1)"
}

/// Returns the system's text for the current `errno`.
func systemReason() -> String {
  String(cString: strerror(errno))
}
