namespace LatentBridge.Files;

/// <summary>
/// What <c>torch.save</c> writes. Since 1.6 a ZIP: <c>root/data.pkl</c> and one <c>root/data/KEY</c> for each storage. Before, one behind
/// the other: pickles of a magic number, a protocol version, the system's sizes, the object and the storages' keys; then
/// for each key an i64 element count and the elements.
/// </summary>
static class TorchReader
{
    const long MaximumPickleLength = 64 << 20;
    const long LegacyProtocol = 1001;
    const string Damaged = "The file is cut off or damaged; copy or download it again";

    // 0x1950A86A20F9469CFC6C, in a pickle of protocol 2 to 5 and of 0 and 1.
    static ReadOnlySpan<byte> LegacyMagic => [0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, (byte)'.'];

    static ReadOnlySpan<byte> LegacyMagicText => "L119547037146038801333356L\n."u8;

    /// <summary>Whether a file begins as the older form does: a pickle, of any protocol, of the magic number.</summary>
    public static bool IsLegacy(TensorBytes bytes)
    {
        Span<byte> start = stackalloc byte[(int)Math.Min(32, bytes.Length)];
        bytes.Read(0, start);
        int head = start is [0x80, <= 5, 0x95, ..] ? 11 : 2; // FRAME and its length
        return start.StartsWith(LegacyMagicText) || (start is [0x80, <= 5, ..] && start.Length > head && start[head..].StartsWith(LegacyMagic));
    }

    /// <summary>The name of the pickle in the ZIP form, or null when there is none.</summary>
    public static string? FindPickle(List<ZipEntry> entries) =>
        entries.Select(static e => e.Name).FirstOrDefault(static n => n == "data.pkl" || n.EndsWith("/data.pkl", StringComparison.Ordinal));

    /// <summary>Reads the ZIP form's pickle; the values are read later.</summary>
    public static TorchContents ReadZip(TensorBytes bytes, List<ZipEntry> entries, string pickleName)
    {
        string root = pickleName[..^"data.pkl".Length];
        var byName = new Dictionary<string, ZipEntry>(StringComparer.Ordinal);
        foreach (ZipEntry entry in entries)
        {
            byName[entry.Name] = entry;
        }

        if (byName.ContainsKey($"{root}constants.pkl"))
        {
            throw bytes.Bad("is a TorchScript program: refused, weights are data. Save its state_dict() with torch.save or safetensors");
        }

        if (byName.TryGetValue($"{root}byteorder", out ZipEntry order) && OpenSmall(bytes, order) is var text && text != "little")
        {
            throw bytes.Bad($"was saved with byte order \"{TensorEntry.Shorten(text)}\"; only little is supported. Save it on a little-endian machine");
        }

        var storages = new Dictionary<string, ByteRange>(StringComparer.Ordinal);
        ByteRange pickle = ZipDirectory.Open(bytes, byName[pickleName]);
        if (pickle.Length > MaximumPickleLength)
        {
            throw bytes.Bad($"has a pickle of {pickle.Length} bytes; at most {MaximumPickleLength} are accepted. The file is damaged or not a file of tensors");
        }

        var objects = new TorchObjects(bytes, Find);
        object? saved = new PickleMachine(pickle.Cursor(), objects).Run();
        return new TorchContents(bytes, saved, objects.Unknown);

        TorchStorage Find(string key, StorageType type, long count)
        {
            if (!storages.TryGetValue(key, out ByteRange range))
            {
                range = byName.TryGetValue($"{root}data/{key}", out ZipEntry entry)
                    ? ZipDirectory.Open(bytes, entry)
                    : throw bytes.Bad($"storage \"{TensorEntry.Shorten(key)}\" is named but not there. {Damaged}");
                storages.Add(key, range);
            }

            return count >= 0 && count <= range.Length / type.Size
                ? new(type, count) { Range = range }
                : throw bytes.Bad($"storage \"{TensorEntry.Shorten(key)}\" should hold {count} elements of {type} but has {range.Length} bytes. {Damaged}");
        }
    }

    /// <summary>Reads the older form's pickles and finds the storages behind them; the values are read later.</summary>
    public static TorchContents ReadLegacy(TensorBytes bytes)
    {
        var storages = new Dictionary<string, TorchStorage>(StringComparer.Ordinal);
        long position = 0;
        var objects = new TorchObjects(bytes, Find);
        Unpickle();
        if (Unpickle() is not LegacyProtocol)
        {
            throw bytes.Bad($"has another protocol than {LegacyProtocol}. Load it with PyTorch and save it again");
        }

        if (Unpickle() is PickleDictionary system && system.Find("little_endian") is false)
        {
            throw bytes.Bad("was saved on a big-endian machine. Save it again on a little-endian one");
        }

        object? saved = Unpickle();
        if (Unpickle() is not List<object?> keys)
        {
            throw bytes.Bad($"has no list of storages behind its pickle. {Damaged}");
        }

        LocateStorages(bytes, position, keys, storages);
        return storages.Count == 0
            ? new TorchContents(bytes, saved, objects.Unknown)
            : throw bytes.Bad($"{storages.Count} of its storages are not there. {Damaged}");

        object? Unpickle()
        {
            var cursor = new ByteCursor(bytes, position, Math.Min(bytes.Length, position + MaximumPickleLength));
            object? value = new PickleMachine(cursor, objects).Run();
            position = cursor.Position;
            return value;
        }

        TorchStorage Find(string key, StorageType type, long count)
        {
            if (!storages.TryGetValue(key, out TorchStorage? storage))
            {
                storages.Add(key, storage = new(type, count));
            }

            return storage.Type == type && storage.Length == count && count >= 0
                ? storage
                : throw bytes.Bad($"storage \"{TensorEntry.Shorten(key)}\" is described in two ways. {Damaged}");
        }
    }

    /// <summary>Finds each storage behind the pickles, in the order of their keys, and takes it out of the dictionary.</summary>
    static void LocateStorages(TensorBytes bytes, long position, List<object?> keys, Dictionary<string, TorchStorage> storages)
    {
        foreach (object? key in keys)
        {
            if (key is not string name || !storages.Remove(name, out TorchStorage? storage))
            {
                throw bytes.Bad($"lists a storage that no tensor uses, or twice. {Damaged}");
            }

            var cursor = new ByteCursor(bytes, position, bytes.Length);
            long count = cursor.ReadInt64();
            if (count != storage.Length || count > cursor.Remaining / storage.Type.Size)
            {
                throw bytes.Bad($"storage \"{TensorEntry.Shorten(name)}\" should hold {storage.Length} elements; found {count}, and {cursor.Remaining} bytes to the end. {Damaged}");
            }

            long length = count * storage.Type.Size;
            storage.Range = new(bytes, cursor.Position, length);
            position = cursor.Position + length;
        }
    }

    static string OpenSmall(TensorBytes bytes, ZipEntry entry)
    {
        ByteRange range = ZipDirectory.Open(bytes, entry);
        return range.Cursor().ReadText(Math.Min(range.Length, 16));
    }
}
