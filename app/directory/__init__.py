"""Who is calling: look-ups in Dataverse, remembered, shared between calls, and kept within what Dataverse allows.

CachedDirectory      recall, find, purge: what the use case speaks to
├── CallerMemory     fresh, stale and negative answers, bounded
├── LoadShedding     how much of a call's time a look-up may take, and whether any
├── SingleFlight     one look-up per number, shared by every call that waits for it
├── Snapshots        last known callers in the store, for a restart while Dataverse is away
└── LiveDirectory    asks Dataverse: so many look-ups at once, none while the breaker is open
    └── CircuitBreaker
"""
