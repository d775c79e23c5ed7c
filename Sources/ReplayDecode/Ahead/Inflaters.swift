import ReplayCore

/// Decompressors that were used and wait for another frame. Each holds up to some megabytes, and pages new from the
/// system cost as much as inflating a small segment. `@unchecked Sendable`: the list is behind the lock, and a
/// decompressor belongs to who took it.
final class Inflaters: @unchecked Sendable {
  struct Kind: Hashable {
    let codec: Codec
    let maxWindowLog: Int
  }

  private let lock = WorkLock()
  private var free: [Kind: [any Inflater]] = [:]

  func take(_ kind: Kind) -> (any Inflater)? { lock.locked { free[kind]?.popLast() } }

  func give(_ inflater: any Inflater, _ kind: Kind) { lock.locked { free[kind, default: []].append(inflater) } }

  static func make(_ kind: Kind) throws -> any Inflater {
    switch kind.codec {
    case .gzip: return GzipInflater()
    case .zstd:
      do { return try ZstdInflater(maxWindowLog: kind.maxWindowLog) } catch {
        throw ReplayError(.unexpected, error.what)
      }
    case .none: preconditionFailure("an uncompressed stream has no frames")
    }
  }
}
