// Where raw rows come from: a large piece of memory, or the file by the system's calls.

internal import Glibc

/// Memory for all rows of a split.
///
/// Rows are visited in random order, so the system is asked for large pages: with small ones nearly
/// every row is a miss in the table of pages.
final class RowMemory: @unchecked Sendable {
  let start: UnsafeMutableRawPointer

  init(byteCount: Int) {
    let page = 2 << 20
    let isLarge = byteCount >= page
    start = .allocate(byteCount: max(1, byteCount), alignment: isLarge ? page : 64)
    if isLarge { madvise(start, byteCount, MADV_HUGEPAGE) }
  }

  deinit { start.deallocate() }
}

/// A file whose rows lie in it as they lie in memory, one after another.
///
/// Any number of threads may read at once: there is no position and no lock.
final class RowFile: Sendable {
  private let descriptor: Int32
  private let offset: Int

  /// Opens a file whose rows start at `offset`, nil if the system refuses.
  init?(_ path: String, offset: Int) {
    descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    self.offset = offset
  }

  deinit { close(descriptor) }

  /// Fills a buffer with the bytes from `start` of the first row on.
  ///
  /// - Returns: Nil, or why it could not be filled.
  func read(from start: Int, into buffer: UnsafeMutableRawBufferPointer) -> String? {
    var done = 0
    while done < buffer.count {
      let count = pread(
        descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done,
        off_t(offset + start + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return count == 0 ? "file ends" : String(cString: strerror(errno)) }
      done += count
    }
    return nil
  }
}
