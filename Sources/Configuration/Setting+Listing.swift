// The list of all keys, for people.

extension Setting {
  /// Returns the settings as lines of aligned columns: key, default, meaning (type).
  public static func table(_ settings: [Setting]) -> String {
    let keyWidth = settings.map(\.path.count).max() ?? 0
    let defaultWidth = settings.map { min($0.defaultText.count, 24) }.max() ?? 0
    return settings.map { setting in
      let columns =
        padded(setting.path, keyWidth) + "  " + padded(setting.defaultText, defaultWidth)
      return "\(columns)  \(setting.meaning) (\(setting.type))\n"
    }.joined()
  }
}

private func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count))
}
