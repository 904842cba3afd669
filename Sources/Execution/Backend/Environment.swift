/// The part of a machine that decides the bits of a result besides configuration, data and seed.
public struct Environment: Hashable, Sendable {
  /// The instruction set in use, such as `avx512_core`.
  public let isa: String
  /// The sizes of the data caches, such as `32K/1024K/32768K`: libraries choose block sizes by them.
  public let caches: String
  /// The name of the library that computes products, such as `oneDNN`.
  public let library: String
  /// The version of the library.
  public let libraryVersion: String

  /// Describes a machine.
  public init(isa: String, caches: String, library: String, libraryVersion: String) {
    self.isa = isa
    self.caches = caches
    self.library = library
    self.libraryVersion = libraryVersion
  }

  /// One line.
  public var description: String { "\(isa), caches \(caches), \(library) \(libraryVersion)" }
}
