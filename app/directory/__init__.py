"""Who is calling: look-ups in Dataverse, remembered, shared between calls, and kept within what Dataverse allows.

WaitingRoom          sheds calls that could not be answered in time
CachedDirectory      recall, find, purge: what the use case speaks to
├── CallerMemory     fresh, stale and negative answers, bounded
├── Flights          one look-up per number, shared by every call that waits for it
├── Snapshots        last known callers in the store, for a restart while Dataverse is away
│   └── SnapshotReads    one question to the store for all who want something at the same moment
└── ProtectedDirectory
    ├── CircuitBreaker
    └── LiveDirectory    asks Dataverse and judges the matches
"""
