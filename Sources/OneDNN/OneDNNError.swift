import CDNNL

/// A call of oneDNN that failed.
public struct OneDNNError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The function that was called.
  public let call: String
  /// The status it returned, as oneDNN names it.
  public let status: String
  /// The purpose of the call, such as a shape; empty if the call says it all.
  public let subject: String

  /// The subject, the call and its status.
  public var description: String {
    (subject.isEmpty ? "" : subject + ": ") + "\(call): \(status)"
  }
}

/// Throws unless a call succeeded.
func check(
  _ status: dnnl_status_t, _ call: StaticString, _ subject: @autoclosure () -> String = ""
) throws(OneDNNError) {
  guard status != dnnl_success else { return }
  let name = dnnl_status2str(status).map { String(cString: $0) } ?? "status \(status.rawValue)"
  throw OneDNNError(call: "\(call)", status: name, subject: subject())
}
