"""The pure core: no clock, no I/O, no logging, nothing but the standard library.

Read it in this order. Each package imports only the ones above it here; import-linter enforces that.

`expressions`
    Regular expressions that are compiled when they are first used.
`values`
    How frozen values are made and changed, and how a function says no.
`errors`
    The base of every error that is answered to the caller.
`sagemaker`
    What SageMaker says: jobs and placements, how a job ended, why a launch was refused, and how to read a
    CreateTrainingJob request. It contains no rule of ours.
`run`
    What is stored: the run with its attempts and canaries, its policy, its prices and its outbox, and the
    observations that reach it.
`rules`
    Questions about a run, answered purely: what follows an end, where the next attempt runs, how the run stands with
    its deadline, what it costs.
`shown`
    What users, metrics and events see of a run.
`decide`
    What happens to a run: `decide(run, facts, now)`, and the steps it is made of.
`plan`
    What would happen to a submission: `decide` played forward with the best and the worst luck.
`lint`
    Advice on a spec beyond what is valid: rules over the plain document.
"""
