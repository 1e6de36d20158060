using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using LatentBridge.Imaging.Png;

namespace LatentBridge.Fuzz.Tests;

/// <summary>Lengths and checksums of mutated files, made right again: else almost every case would end at the first of them.</summary>
static class Checks
{
    /// <summary>The length of the JSON header: up to the last brace.</summary>
    public static void SafetensorsLength(byte[] file)
    {
        int end = file.AsSpan().LastIndexOf((byte)'}');
        if (end >= 8)
        {
            BinaryPrimitives.WriteInt64LittleEndian(file, end - 7);
        }
    }

    /// <summary>The length of the header: up to the first line feed.</summary>
    public static void NpyLength(byte[] file)
    {
        int end = file.AsSpan().IndexOf((byte)'\n');
        if (end >= 10)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(8), (ushort)(end - 9));
        }
    }

    /// <summary>The CRC-32 of every chunk that can be followed.</summary>
    public static void Png(byte[] file)
    {
        for (int at = 8; at + 12 <= file.Length;)
        {
            int length = (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at)), int.MaxValue);
            if (length > file.Length - at - 12)
            {
                return;
            }

            BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(at + 8 + length), Crc32.Append(0, file.AsSpan(at + 4, length + 4)));
            at += 12 + length;
        }
    }

    /// <summary>The checksum of every header: the sum of its bytes, its own eight taken for spaces.</summary>
    public static void Tar(byte[] file)
    {
        for (int at = 0; at + 512 <= file.Length; at += 512)
        {
            Span<byte> header = file.AsSpan(at, 512), sum = header.Slice(148, 8);
            if (header[257..].StartsWith("ustar"u8))
            {
                sum.Fill((byte)' ');
                int all = 0;
                foreach (byte one in header)
                {
                    all += one;
                }

                Encoding.ASCII.GetBytes(Convert.ToString(all, 8).PadLeft(6, '0') + "\0", sum);
            }
        }
    }

    /// <summary>The last offset of the table: where the file ends.</summary>
    public static void MdsEnd(byte[] file)
    {
        long at = file.Length < 4 ? long.MaxValue : 4 + (4L * BinaryPrimitives.ReadUInt32LittleEndian(file));
        if (at <= file.Length - 4)
        {
            BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan((int)at), file.Length);
        }
    }

    /// <summary>The offsets of the directory and of its entries' parts: to where those really stand.</summary>
    public static void Zip(byte[] file)
    {
        Span<byte> bytes = file;
        int end = bytes.LastIndexOf("PK\u0005\u0006"u8), first = bytes.IndexOf("PK\u0001\u0002"u8), local = 0;
        if (end < 0 || first < 0 || end + 22 > file.Length || first > end)
        {
            return;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(bytes[(end + 12)..], (uint)(end - first));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[(end + 16)..], (uint)first);
        for (int entry = first; entry + 46 <= end && bytes[entry..].StartsWith("PK\u0001\u0002"u8);)
        {
            int found = bytes[local..first].IndexOf("PK\u0003\u0004"u8);
            if (found < 0)
            {
                return;
            }

            BinaryPrimitives.WriteUInt32LittleEndian(bytes[(entry + 42)..], (uint)(local + found));
            local += found + 4;
            entry += 46 + BinaryPrimitives.ReadUInt16LittleEndian(bytes[(entry + 28)..]) + BinaryPrimitives.ReadUInt16LittleEndian(bytes[(entry + 30)..])
                + BinaryPrimitives.ReadUInt16LittleEndian(bytes[(entry + 32)..]);
        }
    }
}
