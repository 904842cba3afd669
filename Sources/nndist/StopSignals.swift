// Signals that ask a run to stop.
import Foundation
import Synchronization

/// Whether this process was asked to stop.
enum StopSignals {
  private static let isRequested = Atomic(false)

  /// Takes SIGINT, SIGTERM, SIGUSR1 and SIGUSR2 as requests to stop after the step in hand.
  ///
  /// A second SIGINT ends the process at once, as a person at a terminal expects.
  static func install() {
    // Made here, not in a handler.
    _ = stopIsRequested
    // A parent may have had them blocked, and then none would ever come.
    var numbers = sigset_t()
    sigemptyset(&numbers)
    for number in [SIGINT, SIGTERM, SIGUSR1, SIGUSR2] {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { number in
        if StopSignals.isRequested.exchange(true, ordering: .relaxed), number == SIGINT {
          _exit(128 + SIGINT)
        }
      }
      // What a signal interrupts goes on.
      action.sa_flags = SA_RESTART
      sigaction(number, &action, nil)
      sigaddset(&numbers, number)
    }
    pthread_sigmask(SIG_UNBLOCK, &numbers, nil)
  }

  /// Whether one of the signals has come.
  static var stopIsRequested: Bool { isRequested.load(ordering: .relaxed) }
}
