using System.Diagnostics;

namespace LatentBridge.Fuzz.Tests;

/// <summary>What so many cases of a target came to.</summary>
/// <param name="Cases">How many were tried.</param>
/// <param name="Taken">How many the reader took.</param>
/// <param name="SlowestMilliseconds">Of the slowest case.</param>
/// <param name="MostAllocated">Bytes that a case allocated, beyond ten times its own length.</param>
/// <param name="Fault">What was wrong with the last case; null: nothing.</param>
readonly record struct FuzzResult(long Cases, long Taken, double SlowestMilliseconds, long MostAllocated, string? Fault);

/// <summary>Gives a reader case after case, until one is a fault.</summary>
static class Fuzzer
{
    /// <summary>Bytes that reading a case may allocate beside ten times its length.</summary>
    const long Slack = 64 << 20;

    /// <summary>Tries cases.</summary>
    /// <param name="target">The reader.</param>
    /// <param name="seed">Of all cases.</param>
    /// <param name="first">Number of the first case.</param>
    /// <param name="count">How many at most.</param>
    /// <param name="limit">How long at most.</param>
    /// <param name="begin">Told of each case's number before it is tried: what a process that dies was at.</param>
    public static FuzzResult Run(Target target, int seed, long first, long count, TimeSpan limit, Action<long>? begin = null)
    {
        FuzzResult result = default;
        long started = Stopwatch.GetTimestamp();
        for (long number = first; number < first + count && result.Fault is null; number++)
        {
            if (number % 256 == 0 && Stopwatch.GetElapsedTime(started) > limit)
            {
                break;
            }

            begin?.Invoke(number);
            byte[] bytes = Mutator.Case(target, seed, number);
            result = Add(result, Try(target, bytes, $"seed {seed}, case {number}"));
        }

        return result;
    }

    /// <summary>Tries one case.</summary>
    public static FuzzResult Try(Target target, byte[] bytes, string name)
    {
        long allocated = GC.GetAllocatedBytesForCurrentThread(), started = Stopwatch.GetTimestamp();
        bool taken = false;
        string? fault = null;
        try
        {
            taken = target.Read(bytes);
        }
#pragma warning disable CA1031 // That is what is looked for.
        catch (Exception e)
#pragma warning restore CA1031
        {
            fault = $"{target.Name}, {name}: {e}";
        }

        double milliseconds = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated - (10L * bytes.Length);
        if (fault is null && allocated > Slack)
        {
            fault = $"{target.Name}, {name}: {bytes.Length} bytes allocate {allocated + (10L * bytes.Length)}";
        }

        return new(1, taken ? 1 : 0, milliseconds, Math.Max(0, allocated), fault);
    }

    static FuzzResult Add(FuzzResult all, FuzzResult one) => new(
        all.Cases + 1, all.Taken + one.Taken, Math.Max(all.SlowestMilliseconds, one.SlowestMilliseconds), Math.Max(all.MostAllocated, one.MostAllocated), one.Fault);
}
