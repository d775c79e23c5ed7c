import ReplayCore
import Testing

@testable import ReplayPostgres

@Suite struct FailureTests {
  /// What the server says, and how a run then ends.
  @Test(arguments: [
    ("55P03", ReplayError.Code.temporary), ("57014", .temporary), ("40P01", .temporary), ("42501", .permission),
    ("28P01", .permission), ("25006", .permission), ("3D000", .missing), ("53300", .unavailable),
    ("53100", .cannotCreate),
    ("57P01", .unavailable), ("08006", .unavailable), ("", .unavailable), ("22003", .data), ("23514", .data),
    ("22021", .data), ("2BP01", .config), ("XX001", .config), ("42601", .unexpected),
  ]) func aCodeOfTheServerIsOneOfOurs(state: String, code: ReplayError.Code) {
    let error = PostgresFailure(state: state, said: "it said so").error("postgres://h/d", doing: "working")
    #expect(error.code == code)
    #expect("\(error)".contains("it said so"))
    #expect(state.isEmpty || "\(error)".contains(state))
    #expect("\(error)".contains("postgres://h/d") || code == .data)
  }
}
