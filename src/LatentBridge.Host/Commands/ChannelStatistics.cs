using System.Runtime.InteropServices;
using LatentBridge.Latents;

namespace LatentBridge.Host.Commands;

/// <summary>The values of one channel of a latent, all items and frames together; NaN and infinities are counted and left out of the rest.</summary>
readonly record struct ChannelStatistics(int Channel, float Minimum, float Maximum, double Mean, double StandardDeviation, long NonFiniteCount)
{
    /// <summary>The statistics of each channel, as the values lie in the file. Nothing is copied.</summary>
    internal static ChannelStatistics[] Of(in Latent latent)
    {
        int length = latent.Shape.Frames * latent.Shape.PlaneLength;
        var channels = new ChannelStatistics[latent.Shape.Channels];
        for (int channel = 0; channel < channels.Length; channel++)
        {
            channels[channel] = Measure(latent, channel, length);
        }

        return channels;
    }

    static ChannelStatistics Measure(in Latent latent, int channel, int length)
    {
        float minimum = float.PositiveInfinity, maximum = float.NegativeInfinity;
        double sum = 0, squares = 0;
        long count = 0;
        LatentShape shape = latent.Shape;
        for (int item = 0; item < shape.Batch; item++)
        {
            int first = ((item * shape.Channels) + channel) * length;
            for (int i = first; i < first + length; i++)
            {
                float value = Value(latent.Bytes, latent.ElementType, i);
                if (float.IsFinite(value))
                {
                    minimum = Math.Min(minimum, value);
                    maximum = Math.Max(maximum, value);
                    sum += value;
                    squares += (double)value * value;
                    count++;
                }
            }
        }

        long bad = ((long)shape.Batch * length) - count;
        if (count == 0)
        {
            return new(channel, float.NaN, float.NaN, double.NaN, double.NaN, bad);
        }

        double mean = sum / count;
        return new(channel, minimum, maximum, mean, Math.Sqrt(Math.Max(0, (squares / count) - (mean * mean))), bad);
    }

    static float Value(ReadOnlySpan<byte> bytes, LatentElementType type, int index) => type switch
    {
        LatentElementType.F32 => MemoryMarshal.Cast<byte, float>(bytes)[index],
        LatentElementType.F16 => (float)MemoryMarshal.Cast<byte, Half>(bytes)[index],
        _ => BitConverter.UInt32BitsToSingle((uint)MemoryMarshal.Cast<byte, ushort>(bytes)[index] << 16),
    };
}
