using System.Numerics;
using System.Runtime.Intrinsics;
using LatentBridge.Simd;

namespace LatentBridge.Imaging.Png;

/// <summary>Takes what a row of residuals is split into.</summary>
unsafe interface IRunSink
{
    /// <summary>Bytes to encode one by one.</summary>
    void Literals(byte* bytes, int count);

    /// <summary>A repetition of the byte before, 3 to 258 times.</summary>
    void Match(int length);
}

/// <summary>
/// Splits residuals into literals and runs of zeros, the only matches this encoder looks for: flat areas are zero after any filter,
/// repeated rows after Up.
/// </summary>
/// <remarks>
/// The row is looked at in blocks of 64 bytes, each as a mask of its zeros. A run begins where 16 zeros follow within a block, and goes on
/// into the next blocks as far as it can. Photos have next to none, and then this costs one comparison and a few shifts a block.
/// </remarks>
static unsafe class ZeroRuns
{
    const int Block = 64;

    /// <summary>Splits a row. Up to 63 bytes behind it are read.</summary>
    public static void Split<TSink>(KernelWidth width, byte* row, int length, ref TSink sink)
        where TSink : struct, IRunSink, allows ref struct
    {
        switch (width)
        {
            case KernelWidth.Vector512:
                Split<ByteLanes512, Vector512<byte>, TSink>(row, length, ref sink);
                break;
            case KernelWidth.Vector256:
                Split<ByteLanes256, Vector256<byte>, TSink>(row, length, ref sink);
                break;
            default:
                Split<ByteLanes128, Vector128<byte>, TSink>(row, length, ref sink);
                break;
        }
    }

    static void Split<TLanes, TVector, TSink>(byte* row, int length, ref TSink sink)
        where TLanes : struct, IByteLanes<TVector>
        where TVector : struct
        where TSink : struct, IRunSink, allows ref struct
    {
        byte* literals = row;       // the first byte not handed on
        byte* run = null;           // where a run began that reaches the end of the block before
        byte* end = row + length;
        for (byte* block = row; block < end; block += Block)
        {
            ulong zeros = TLanes.ZeroMask64(block);
            int count = Block;
            if (end - block < Block)
            {
                count = (int)(end - block);
                zeros &= (1ul << count) - 1;
            }

            int done = 0;
            if (run != null)
            {
                done = BitOperations.TrailingZeroCount(~zeros);
                if (done >= count)
                {
                    continue;
                }

                literals = block + done;
                PutRun(run, literals, ref sink);
                run = null;
            }

            for (ulong starts = StartsOf16(zeros >> done << done); starts != 0; starts = StartsOf16(zeros >> done << done))
            {
                int start = BitOperations.TrailingZeroCount(starts);
                sink.Literals(literals, (int)(block + start - literals));
                literals = block + start;
                done = start + BitOperations.TrailingZeroCount(~(zeros >> start));
                if (done >= count)
                {
                    run = literals;
                    break;
                }

                PutRun(literals, block + done, ref sink);
                literals = block + done;
            }
        }

        if (run != null)
        {
            PutRun(run, end, ref sink);
        }
        else
        {
            sink.Literals(literals, (int)(end - literals));
        }
    }

    /// <summary>Bit i stays where bits i to i + 15 are set.</summary>
    static ulong StartsOf16(ulong mask)
    {
        mask &= mask >> 1;
        mask &= mask >> 2;
        mask &= mask >> 4;
        return mask & (mask >> 8);
    }

    /// <summary>A zero, then repetitions of it: as many of the longest as there can be while the last keeps 3 at least.</summary>
    static void PutRun<TSink>(byte* run, byte* end, ref TSink sink)
        where TSink : struct, IRunSink, allows ref struct
    {
        sink.Literals(run, 1);
        int left = (int)(end - run) - 1;
        while (left > DeflateCode.LongestMatch)
        {
            int match = Math.Min(DeflateCode.LongestMatch, left - 3);
            sink.Match(match);
            left -= match;
        }

        sink.Match(left);
    }
}
