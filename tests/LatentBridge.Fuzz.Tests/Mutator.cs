using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace LatentBridge.Fuzz.Tests;

/// <summary>Makes wrong files of right ones. A case depends on the target, the seed and its number alone, so that any one can be made again.</summary>
static class Mutator
{
    const int MostLength = 1 << 16;

    /// <summary>Numbers at the edges of what fields hold.</summary>
    static readonly long[] Edges =
    [
        0, 1, 2, 3, 4, 7, 8, 15, 16, 127, 128, 255, 256, 1024, 32767, 32768, 65535, 65536, 1 << 20, int.MaxValue, 1L << 31, uint.MaxValue, 1L << 32, 1L << 40, (1L << 53) - 1, 1L << 53,
        1L << 62, long.MaxValue, long.MinValue, -1, -2, -128, int.MinValue,
    ];

    /// <summary>The case of this number.</summary>
    public static byte[] Case(Target target, int seed, long number)
    {
        var random = new Random(HashCode(seed, number));
        byte[] bytes = [.. target.Seeds[random.Next(target.Seeds.Count)]];
        for (int times = random.Next(1, 6); times > 0; times--)
        {
            bytes = Mutate(target, bytes, random);
        }

        bytes = bytes.Length > MostLength ? bytes[..MostLength] : bytes;
        if (random.Next(4) != 0)
        {
            target.Mend?.Invoke(bytes);
        }

        return bytes;
    }

    static byte[] Mutate(Target target, byte[] bytes, Random random)
    {
        if (bytes.Length == 0)
        {
            return [(byte)random.Next(256)];
        }

        int at = random.Next(bytes.Length), length = Math.Min(random.Next(1, 33), bytes.Length - at);
        switch (random.Next(11))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 1:
                bytes[at] = (byte)random.Next(256);
                return bytes;
            case 2:
                bytes.AsSpan(at, length).Fill(random.Next(2) == 0 ? (byte)0xFF : (byte)0);
                return bytes;
            case 3:
                return bytes[..at];
            case 4:
                return [.. bytes[..at], .. bytes[(at + length)..]];
            case 5:
                return [.. bytes[..(at + length)], .. bytes[at..]];
            case 6:
                return SetNumber(bytes, at, random);
            case 7 or 8:
                return SetText(bytes, at, random);
            case 9 when target.Words.Count > 0:
                byte[] word = Encoding.Latin1.GetBytes(target.Words[random.Next(target.Words.Count)]);
                return [.. bytes[..at], .. word, .. bytes[Math.Min(bytes.Length, at + (random.Next(2) * word.Length))..]];
            default:
                byte[] other = target.Seeds[random.Next(target.Seeds.Count)];
                return [.. bytes[..at], .. other[Math.Min(at, other.Length)..]];
        }
    }

    /// <summary>An edge, or one more or less than what stands there, as an integer of 2, 4 or 8 bytes in either order.</summary>
    static byte[] SetNumber(byte[] bytes, int at, Random random)
    {
        int size = 2 << random.Next(3);
        if (at + size > bytes.Length)
        {
            return bytes;
        }

        Span<byte> field = bytes.AsSpan(at, size);
        Span<byte> number = stackalloc byte[8];
        if (random.Next(3) == 0)
        {
            field.CopyTo(number);
            BinaryPrimitives.WriteInt64LittleEndian(number, BinaryPrimitives.ReadInt64LittleEndian(number) + random.Next(-2, 3));
        }
        else
        {
            BinaryPrimitives.WriteInt64LittleEndian(number, Edges[random.Next(Edges.Length)]);
        }

        number[..size].CopyTo(field);
        if (random.Next(2) == 0)
        {
            field.Reverse();
        }

        return bytes;
    }

    /// <summary>The first number in digits from here on becomes an edge.</summary>
    static byte[] SetText(byte[] bytes, int at, Random random)
    {
        int begin = bytes.AsSpan(at).IndexOfAnyInRange((byte)'0', (byte)'9');
        if (begin < 0)
        {
            return bytes;
        }

        begin += at;
        int end = begin;
        while (end < bytes.Length && char.IsAsciiDigit((char)bytes[end]))
        {
            end++;
        }

        string number = Edges[random.Next(Edges.Length)].ToString(CultureInfo.InvariantCulture);
        return [.. bytes[..begin], .. Encoding.ASCII.GetBytes(number), .. bytes[end..]];
    }

    // SplitMix64: neighbouring numbers give unlike generators, the same ones on every machine.
    static int HashCode(int seed, long number)
    {
        ulong mixed = ((ulong)(uint)seed << 40) + (ulong)number + 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return (int)(mixed ^ (mixed >> 31));
    }
}
