using LatentBridge.Files;

namespace LatentBridge.Tests.Files;

/// <summary>
/// Every golden file, damaged in many ways by a seeded generator: it is read, or refused by a
/// <see cref="LatentBridgeException"/>; nothing else, and no more memory than a few times what the file claims.
/// </summary>
/// <remarks><c>LATENTBRIDGE_FUZZ_ROUNDS</c> sets the rounds for each file (400).</remarks>
public sealed class TensorFileFuzzTests
{
    const long MaximumAllocated = 64 << 20;

    static readonly int Rounds = int.TryParse(Environment.GetEnvironmentVariable("LATENTBRIDGE_FUZZ_ROUNDS"), out int rounds) ? rounds : 400;

    public static TheoryData<string> Files => TensorFileGoldenTests.Files;

    [Theory]
    [MemberData(nameof(Files))]
    public void A_damaged_file_is_read_or_refused(string name)
    {
        byte[] golden = File.ReadAllBytes(TensorFileGoldenTests.PathOf(name));
        for (int seed = 0; seed < Rounds; seed++)
        {
            Survives(Damage(golden, new Random(seed)), $"{name}, seed {seed}");
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void A_cut_off_file_is_refused_wherever_it_ends(string name)
    {
        byte[] golden = File.ReadAllBytes(TensorFileGoldenTests.PathOf(name));
        for (int length = 0; length < golden.Length; length++)
        {
            byte[] cut = golden[..length];
            Assert.Throws<LatentBridgeException>(() => TensorFile.Parse(cut, "cut"));
        }
    }

    [Fact]
    public void Random_pickles_are_run_or_refused()
    {
        // Instructions that the machine knows, at random, so that it gets further than random bytes would.
        const string Instructions = "NKMJXU()t\u0085\u0086\u0087]lae}dsu012qhcR bQ\u0094\u008c.";
        for (int seed = 0; seed < 50 * Rounds; seed++)
        {
            var random = new Random(seed);
            byte[] pickle = new byte[random.Next(1, 60)];
            for (int i = 0; i < pickle.Length; i++)
            {
                pickle[i] = random.Next(4) == 0 ? (byte)random.Next(5) : (byte)Instructions[random.Next(Instructions.Length)];
            }

            Survives(TensorFileWriters.Torch(pickle), $"pickle seed {seed}");
        }
    }

    static void Survives(byte[] bytes, string what)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            using var file = TensorFile.Parse(bytes, "damaged");
            foreach (TensorEntry entry in file.Tensors.Where(static e => e.Length < 1 << 20))
            {
                entry.CopyTo(new float[entry.Length]);
                entry.CopyBytesTo(new byte[entry.ByteLength]);
            }

            LatentFile.Load(file, "damaged", new());
        }
        catch (LatentBridgeException)
        {
        }
        catch (Exception e)
        {
            Assert.Fail($"{what}: {e}");
        }

        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < MaximumAllocated, $"{what} allocated {GC.GetAllocatedBytesForCurrentThread() - before} bytes");
    }

    static byte[] Damage(byte[] golden, Random random)
    {
        byte[] bytes = [.. golden];
        for (int times = random.Next(1, 5); times > 0 && bytes.Length > 0; times--)
        {
            int at = random.Next(bytes.Length);
            switch (random.Next(6))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes.AsSpan(at, Math.Min(random.Next(1, 9), bytes.Length - at)).Fill(random.Next(2) == 0 ? (byte)0xFF : (byte)0); break;
                case 3: bytes = [.. bytes[..at], .. bytes[random.Next(bytes.Length)..]]; break;
                case 4: bytes = [.. bytes[..at], (byte)random.Next(256), .. bytes[at..]]; break;
                case 5: bytes[at] = (byte)"0123456789-,.}{]['\"L"[random.Next(20)]; break;
            }
        }

        return bytes;
    }
}
