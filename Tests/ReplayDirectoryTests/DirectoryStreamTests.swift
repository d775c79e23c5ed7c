import ReplayDirectory
import Testing
