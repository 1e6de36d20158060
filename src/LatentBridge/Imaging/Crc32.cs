namespace LatentBridge.Imaging;

/// <summary>The CRC of PNG chunks (ISO 3309): reflected polynomial 0xEDB88320, initial and final value inverted.</summary>
static class Crc32
{
    static readonly uint[] Table = MakeTable();

    /// <summary>The CRC of everything so far (0 at the start) with <paramref name="bytes"/> behind it.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        uint[] table = Table;
        crc = ~crc;
        foreach (byte b in bytes)
        {
            crc = (crc >> 8) ^ table[(byte)(crc ^ b)];
        }

        return ~crc;
    }

    static uint[] MakeTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < 256; i++)
        {
            uint c = i;
            for (int k = 0; k < 8; k++)
            {
                c = (c >> 1) ^ (0xEDB88320 & (0 - (c & 1)));
            }

            table[i] = c;
        }

        return table;
    }
}
