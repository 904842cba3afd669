import Glibc

/// A buffer of `Float`, aligned to a cache line, in memory of its own or of another object.
///
/// The memory lives as long as the object. Accesses are not synchronised; code that shares a buffer between
/// threads or processes must order them.
public final class FloatBuffer: @unchecked Sendable {
  /// The alignment of every buffer, in bytes: a cache line, and a whole AVX-512 register.
  public static let alignment = 64

  /// The elements.
  public let pointer: UnsafeMutablePointer<Float>
  /// The number of elements.
  public let count: Int
  /// The object that owns the memory; nil if this one does.
  private let owner: AnyObject?

  /// Allocates `count` zeros.
  ///
  /// If the memory cannot be allocated, the process ends with one line and exit status 74.
  ///
  /// - Complexity: O(count), one allocation.
  public init(count: Int) {
    precondition(count >= 0, "negative count \(count)")
    let byteCount = max(count, 1) * MemoryLayout<Float>.stride
    var raw: UnsafeMutableRawPointer?
    guard posix_memalign(&raw, FloatBuffer.alignment, byteCount) == 0, let raw else {
      endWithoutMemory(byteCount: byteCount)
    }
    pointer = raw.bindMemory(to: Float.self, capacity: max(count, 1))
    pointer.update(repeating: 0, count: count)
    self.count = count
    owner = nil
  }

  /// Wraps memory of another object, with its present contents.
  ///
  /// - Parameters:
  ///   - pointer: The first element, on a cache line.
  ///   - count: The number of elements.
  ///   - owner: The object that keeps the memory alive.
  public init(at pointer: UnsafeMutablePointer<Float>, count: Int, owner: AnyObject) {
    precondition(
      Int(bitPattern: pointer) % FloatBuffer.alignment == 0, "a buffer off a cache line")
    self.pointer = pointer
    self.count = count
    self.owner = owner
  }

  deinit { if owner == nil { free(pointer) } }

  /// The elements as a buffer, to read or write in place.
  public var elements: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: pointer, count: count)
  }
}

/// Ends the process with a message; a failing allocation of Swift's own would end it by a signal.
private func endWithoutMemory(byteCount: Int) -> Never {
  let line = Array("nndist: found no memory for \(byteCount) bytes\n".utf8)
  _ = write(STDERR_FILENO, line, line.count)
  _exit(74)
}
