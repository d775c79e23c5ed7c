/// What a user imports: the nouns to write a function with, and the tool to run it.
@_exported import ReplayCommands
@_exported import ReplayCore
