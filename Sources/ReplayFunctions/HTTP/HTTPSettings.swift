import ReplayCore

extension ForeignSettings {
  /// What makes the workers of a function behind HTTP. Throws `.usage` for what does not go together.
  func http(
    _ address: HTTPAddress, _ contract: FunctionContract, _ payload: PayloadField, _ reads: inout Reads
  ) throws -> @Sendable (Int) throws -> any FunctionWorker {
    if isIsolated || !handedOn.isEmpty {
      throw ReplayError(
        .usage, "a function behind HTTP is a process of its own: \(address.shown)",
        details: ["--isolate and --function-env are for processes that this one starts"], effect: "nothing was read",
        next: "leave them out")
    }
    var calls = HTTPCaller.Plan(
      address: address, milliseconds: timeoutMilliseconds, startMilliseconds: startMilliseconds)
    calls.ownHeaders = try ownHeaders.map { try OwnHeader($0) }
    if let region = signingRegion ?? address.lambdaRegion {
      try RequestSigning.check(address)
      calls.signing = try RequestSigning(region: region)
    }
    guard address.invokedFunction != nil else {
      let plan = HTTPWorker.Plan(
        calls: calls, form: httpForm ?? .binary, contract: contract, payload: payload, type: reads.type(),
        time: reads.time())
      return { _ in HTTPWorker(plan) }
    }
    guard httpForm == nil else {
      throw ReplayError(
        .usage, "Lambda's Invoke takes no CloudEvents: \(address.shown)",
        details: ["--http-form is for other addresses; --event-shape says which event the handler expects"],
        effect: "nothing was read", next: "leave --http-form out")
    }
    calls.isThrottled = true
    let plan = InvokeWorker.Plan(
      calls: calls, shape: shape.events(EventOrigin(arn: sourceARN), &reads), payload: payload)
    return { _ in InvokeWorker(plan) }
  }
}
