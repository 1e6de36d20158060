using LatentBridge.Imaging.Png;
using LatentBridge.Simd;

namespace LatentBridge.Tests.Imaging.Png;

public unsafe class PngKernelTests
{
    [Fact]
    public void Crc_of_known_messages()
    {
        Assert.Equal(0u, Crc32.Append(0, []));
        Assert.Equal(0xCBF43926u, Crc32.Append(0, "123456789"u8));
        Assert.Equal(0xAE426082u, Crc32.Append(0, "IEND"u8));
        Assert.Equal(0x190A55ADu, Crc32.Append(0, new byte[32]));
    }

    [Fact]
    public void Crc_of_every_length_equals_the_table()
    {
        byte[] bytes = PngSamples.Make("noise", 1100, 1, 1, seed: 4);
        for (int length = 0; length <= bytes.Length; length++)
        {
            uint expected = Crc32.AppendScalar(0x12345678, bytes.AsSpan(0, length));
            Assert.Equal(expected, Crc32.Append(0x12345678, bytes.AsSpan(0, length)));
            if (System.Runtime.Intrinsics.X86.Pclmulqdq.IsSupported && length >= 64)
            {
                Assert.Equal(expected, Crc32.AppendFolded(0x12345678, bytes.AsSpan(0, length), wide: false));
            }
        }

        Assert.Equal(Crc32.Append(0, bytes), Crc32.Append(Crc32.Append(0, bytes.AsSpan(0, 333)), bytes.AsSpan(333)));
    }

    [Fact]
    public void Adler_of_known_messages()
    {
        Assert.Equal(0x11E60398u, Adler32.AppendScalar(Adler32.Start, "Wikipedia"u8));
        Assert.Equal(0x091E01DEu, Adler32.AppendScalar(Adler32.Start, "123456789"u8));
    }

    /// <summary>Both sums near their modulus.</summary>
    const uint Begun = 65520 | (65519u << 16);

    [Fact]
    public void Adler_at_every_width_equals_the_reference()
    {
        var bytes = new byte[20_032];
        foreach (int length in Enumerable.Range(0, 200).Concat([5503, 5504, 5505, 11008, 19_999, 20_032]))
        {
            Array.Clear(bytes);
            bytes.AsSpan(0, length).Fill(255);
            uint expected = Adler32.AppendScalar(Begun, bytes.AsSpan(0, length));
            foreach (KernelWidth width in Kernel.Supported)
            {
                fixed (byte* start = bytes)
                {
                    Assert.Equal(expected, Adler32.Append(width, Begun, start, length));
                }
            }
        }
    }

    [Fact]
    public void Filters_of_every_width_equal_the_reference_for_all_neighbours()
    {
        // One row for each pair of b and c, in which a takes every value: all 2^24 cases of Paeth.
        const int Length = 256;
        byte[] memory = new byte[64 * 32];
        fixed (byte* start = memory)
        {
            byte* current = start + 64, prior = current + 512, expected = prior + 512, actual = expected + 448;
            for (int i = -1; i < Length; i++)
            {
                current[i] = (byte)(i + 1);
            }

            foreach (KernelWidth width in Kernel.Supported.Where(width => width != KernelWidth.Scalar))
            {
                for (int b = 0; b < 256; b++)
                {
                    for (int c = 0; c < 256; c++)
                    {
                        // prior alternates c, b: at odd places b is above and c before it, at even ones the other way round.
                        for (int i = -1; i < Length; i++)
                        {
                            prior[i] = (byte)((i & 1) == 0 ? c : b);
                        }

                        PngFilter.Apply(KernelWidth.Scalar, PngFilterKind.Paeth, current, prior, expected, 1, Length);
                        PngFilter.Apply(width, PngFilterKind.Paeth, current, prior, actual, 1, Length);
                        bool same = new ReadOnlySpan<byte>(expected, Length).SequenceEqual(new ReadOnlySpan<byte>(actual, Length));
                        Assert.True(same, $"{width}, b {b}, c {c}");
                    }
                }
            }
        }
    }

    [Fact]
    public void Filters_and_their_choice_are_the_same_at_every_width_and_length()
    {
        var random = new Random(8);
        byte[] memory = new byte[64 * 40];
        foreach (int length in Enumerable.Range(1, 260))
        {
            foreach (int pixel in new[] { 1, 3 })
            {
                random.NextBytes(memory);
                for (int i = 0; i < 1024 && length % 3 == 0; i++)
                {
                    memory[i] = (byte)(memory[i] & 3);
                }

                fixed (byte* start = memory)
                {
                    byte* current = start + 64, prior = current + 448, expected = prior + 448, actual = expected + 448;
                    PngFilterKind choice = PngFilter.Choose(KernelWidth.Scalar, current, prior, pixel, length);
                    foreach (KernelWidth width in Kernel.Supported)
                    {
                        Assert.Equal(choice, PngFilter.Choose(width, current, prior, pixel, length));
                        foreach (PngFilterKind kind in Enum.GetValues<PngFilterKind>())
                        {
                            PngFilter.Apply(KernelWidth.Scalar, kind, current, prior, expected, pixel, length);
                            PngFilter.Apply(width, kind, current, prior, actual, pixel, length);
                            int padded = PngFilter.RoundUp(length);
                            Assert.Equal(new ReadOnlySpan<byte>(expected, padded).ToArray(), new ReadOnlySpan<byte>(actual, padded).ToArray());
                        }
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_code_is_complete_and_no_longer_than_allowed(int shape)
    {
        var code = new DeflateCode();
        for (int i = 0; i < DeflateCode.SymbolCount; i++)
        {
            code.Counts[i] = shape switch
            {
                0 => 0u,
                1 => 1u << (i % 31),                  // deeper than allowed without the limit
                2 => (uint)(i * i),
                _ => uint.MaxValue,
            };
        }

        code.Build();
        int sum = 0;
        for (int i = 0; i < DeflateCode.SymbolCount; i++)
        {
            int length = (int)(code.Entries[i] >> 16);
            Assert.InRange(length, 1, DeflateCode.LongestCode);
            sum += 1 << (DeflateCode.LongestCode - length);
        }

        Assert.Equal(1 << DeflateCode.LongestCode, sum);
    }

    [Theory]
    [InlineData(3, 257, 0, 0)]
    [InlineData(10, 264, 0, 0)]
    [InlineData(11, 265, 1, 0)]
    [InlineData(12, 265, 1, 1)]
    [InlineData(18, 268, 1, 1)]
    [InlineData(19, 269, 2, 0)]
    [InlineData(114, 279, 4, 15)]
    [InlineData(257, 284, 5, 30)]
    [InlineData(258, 285, 0, 0)]
    public void Match_lengths_have_the_symbols_of_the_specification(int length, int symbol, int extraCount, int extra)
    {
        Assert.Equal(symbol, DeflateCode.MatchSymbol(length));
        Assert.Equal((extraCount, (uint)extra), DeflateCode.MatchExtra(length));
    }

    [Fact]
    public void Literals_packed_in_vectors_have_the_bits_of_literals_packed_one_by_one()
    {
        var code = new DeflateCode();
        byte[] literals = [.. PngSamples.Make("noise", 640, 1, 1, seed: 6), .. PngSamples.Make("soft noise", 640, 1, 1, seed: 6), .. new byte[640]];
        for (int spread = 0; spread < 25; spread++)
        {
            // From all alike to codes of 1 to 14 bits.
            for (int i = 0; i < DeflateCode.SymbolCount; i++)
            {
                code.Counts[i] = 1u << (i * 7 % (spread + 1));
            }

            code.Build();
            for (int begun = 0; begun < 8; begun++)
            {
                byte[] expected = Pack(code, KernelWidth.Scalar, literals, begun);
                foreach (KernelWidth width in Kernel.Supported)
                {
                    Assert.Equal(expected, Pack(code, width, literals, begun));
                }
            }
        }

        static byte[] Pack(DeflateCode code, KernelWidth width, byte[] literals, int begun)
        {
            byte[] bytes = new byte[(literals.Length * 2) + 64];
            fixed (byte* start = bytes, source = literals)
            {
                var writer = new DeflateWriter(code, width, start);
                writer.Put((1u << begun) - 1, begun);
                writer.Literals(source, literals.Length);
                writer.Align();
                return bytes[..(int)(writer.Position - start)];
            }
        }
    }
}
