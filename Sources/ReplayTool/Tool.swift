import Replay
import RetailProjections

/// The `replay` executable with the bundled functions; a user's own tool looks the same.
@main
struct Tool: ReplayTool {
  static let functions: [any Projection] = [ShadeVelocity(), RecentlyViewed(), EventCounts()]
}
