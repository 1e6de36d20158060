using System.Text.Json;

namespace LatentBridge.Sessions.Control;

/// <summary>One line of the shim, read. The instance is reused: a member keeps its value until the next <see cref="Read"/>.</summary>
/// <remarks>
/// A member of <c>params</c> has one meaning whatever the method, so all are read into one flat object; unknown ones are skipped. Members may
/// come in any order. A member of the wrong type throws only after the whole line was read, so that the answer carries the id.
/// </remarks>
sealed class ControlMessage
{
    const int MaximumDepth = 16;
    static readonly string[] Methods = ["submit", "release", "begin", "end", "cancel", "hello", "attach", "configure", "status", "decode", "encode", "teach", "shutdown"];

    string? _wrong;
    bool _hasWrongId;

    /// <summary>A long, a string, or null when there was none (then it is a notification: <see cref="HasId"/>).</summary>
    public object? Id { get; private set; }

    public bool HasId { get; private set; }

    public string Method { get; private set; } = "";

    public long? Protocol { get; private set; }

    public long? ProtocolMinimum { get; private set; }

    public string? Client { get; private set; }

    public long? Process { get; private set; }

    public List<string> Models { get; } = [];

    /// <summary>Decoders to leave out.</summary>
    public List<AvoidedDecoder> Avoid { get; } = [];

    public string? MappingKind { get; private set; }

    public long? MappingDescriptor { get; private set; }

    public string? MappingName { get; private set; }

    public long? Length { get; private set; }

    public long? Generation { get; private set; }

    public long? Slot { get; private set; }

    public long? Sequence { get; private set; }

    public long? Stream { get; private set; }

    public long? Run { get; private set; }

    public string? Format { get; private set; }

    public string? Space { get; private set; }

    /// <summary>What the model is called.</summary>
    public string? Model { get; private set; }

    /// <summary>The folder for what is kept.</summary>
    public string? Data { get; private set; }

    public OptionsPatch Options { get; } = new();

    /// <summary>Reads a line.</summary>
    /// <exception cref="ControlException">It is not JSON, not a request, or a member has the wrong type. <see cref="Id"/> is what could be read.</exception>
    public void Read(ReadOnlySpan<byte> line)
    {
        Clear();
        if (!System.Text.Unicode.Utf8.IsValid(line))
        {
            throw new ControlException(ControlException.NotJson, "The line is not UTF-8.");
        }

        var json = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = MaximumDepth });
        bool hasVersion;
        bool hasMethod;
        try
        {
            (hasVersion, hasMethod) = ReadRequest(ref json);

            // Throws when something follows.
            json.Read();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped half of a surrogate pair.
            Id = null;
            throw new ControlException(ControlException.NotJson, "The line is not JSON.");
        }

        if (!hasVersion)
        {
            throw new ControlException(ControlException.InvalidRequest, "A message needs \"jsonrpc\":\"2.0\".");
        }

        if (_hasWrongId)
        {
            throw new ControlException(ControlException.InvalidRequest, "An \"id\" is a string or an integer.");
        }

        if (!hasMethod)
        {
            throw new ControlException(ControlException.InvalidRequest, "A message needs a \"method\", a string.");
        }

        if (_wrong is not null)
        {
            throw new ControlException(ControlException.InvalidParams, _wrong);
        }
    }

    (bool HasVersion, bool HasMethod) ReadRequest(ref Utf8JsonReader json)
    {
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            json.Skip();
            json.Read();
            throw new ControlException(ControlException.InvalidRequest, "A message is one JSON object; batches are not supported.");
        }

        bool hasVersion = false;
        bool hasMethod = false;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (IsNext(ref json, "jsonrpc"u8))
            {
                hasVersion = json.TokenType == JsonTokenType.String && json.ValueTextEquals("2.0"u8);
            }
            else if (IsNext(ref json, "id"u8))
            {
                HasId = true;
                Id = json.TokenType == JsonTokenType.String ? json.GetString() : json.TokenType == JsonTokenType.Number && json.TryGetInt64(out long number) ? number : null;
                _hasWrongId = Id is null && json.TokenType != JsonTokenType.Null;
            }
            else if (IsNext(ref json, "method"u8))
            {
                hasMethod = json.TokenType == JsonTokenType.String;
                Method = hasMethod ? MethodName(ref json) : "";
            }
            else if (IsNext(ref json, "params"u8))
            {
                if (json.TokenType == JsonTokenType.StartObject)
                {
                    ReadParams(ref json);
                    continue;
                }

                _wrong ??= json.TokenType == JsonTokenType.Null ? null : "\"params\" must be an object.";
            }
            else
            {
                json.Read();
            }

            json.Skip();
        }

        return (hasVersion, hasMethod);
    }

    static string MethodName(ref Utf8JsonReader json)
    {
        foreach (string method in Methods)
        {
            if (json.ValueTextEquals(method))
            {
                return method;
            }
        }

        return json.GetString()!;
    }

    void ReadParams(ref Utf8JsonReader json)
    {
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            ReadParam(ref json);
            json.Skip();
        }
    }

    /// <summary>Reads a member whose name the reader is on; afterwards the reader is on its value, or at that value's end.</summary>
    void ReadParam(ref Utf8JsonReader json)
    {
        if (IsNext(ref json, "slot"u8))
        {
            Slot = Number(ref json, "slot", 0, int.MaxValue);
        }
        else if (IsNext(ref json, "sequence"u8))
        {
            Sequence = Number(ref json, "sequence", 0, (long)Ipc.Protocol.NumberLimit - 1);
        }
        else if (IsNext(ref json, "stream"u8))
        {
            Stream = Number(ref json, "stream", 0, uint.MaxValue);
        }
        else if (IsNext(ref json, "run"u8))
        {
            Run = Number(ref json, "run", 0, (long)Ipc.Protocol.NumberLimit - 1);
        }
        else if (IsNext(ref json, "format"u8))
        {
            Format = TextOrNull(ref json, "format");
        }
        else if (IsNext(ref json, "space"u8))
        {
            Space = Text(ref json, "space");
        }
        else if (IsNext(ref json, "model"u8))
        {
            Model = TextOrNull(ref json, "model");
        }
        else if (Options.ReadNext(ref json, ref _wrong))
        {
            return;
        }
        else if (!ReadGreeting(ref json) && !ReadAttach(ref json))
        {
            json.Read();
        }
    }

    bool ReadGreeting(ref Utf8JsonReader json)
    {
        if (IsNext(ref json, "protocol"u8))
        {
            Protocol = Number(ref json, "protocol", 0, int.MaxValue);
        }
        else if (IsNext(ref json, "protocolMinimum"u8))
        {
            ProtocolMinimum = Number(ref json, "protocolMinimum", 0, int.MaxValue);
        }
        else if (IsNext(ref json, "client"u8))
        {
            Client = Text(ref json, "client");
        }
        else if (IsNext(ref json, "process"u8))
        {
            Process = Number(ref json, "process", 1, int.MaxValue);
        }
        else if (IsNext(ref json, "data"u8))
        {
            Data = TextOrNull(ref json, "data");
        }
        else if (IsNext(ref json, "models"u8))
        {
            ReadModels(ref json);
        }
        else if (IsNext(ref json, "avoid"u8))
        {
            ReadAvoid(ref json);
        }
        else
        {
            return false;
        }

        return true;
    }

    bool ReadAttach(ref Utf8JsonReader json)
    {
        if (IsNext(ref json, "mapping"u8))
        {
            ReadMapping(ref json);
        }
        else if (IsNext(ref json, "length"u8))
        {
            Length = Number(ref json, "length", 0, long.MaxValue);
        }
        else if (IsNext(ref json, "generation"u8))
        {
            Generation = Number(ref json, "generation", 1, uint.MaxValue);
        }
        else
        {
            return false;
        }

        return true;
    }

    void ReadModels(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartArray)
        {
            _wrong ??= json.TokenType == JsonTokenType.Null ? null : "\"models\" must be a list of folders.";
            return;
        }

        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (Text(ref json, "models") is { } folder)
            {
                Models.Add(folder);
            }

            json.Skip();
        }
    }

    void ReadAvoid(ref Utf8JsonReader json)
    {
        const string Expected = "\"avoid\" must be a list of objects with \"decoder\" and \"file\".";
        if (json.TokenType != JsonTokenType.StartArray)
        {
            _wrong ??= json.TokenType == JsonTokenType.Null ? null : Expected;
            return;
        }

        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType != JsonTokenType.StartObject)
            {
                _wrong ??= Expected;
                json.Skip();
                continue;
            }

            string? decoder = null;
            string? file = null;
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                if (IsNext(ref json, "decoder"u8))
                {
                    decoder = Text(ref json, "decoder");
                }
                else if (IsNext(ref json, "file"u8))
                {
                    file = TextOrNull(ref json, "file");
                }
                else
                {
                    json.Read();
                }

                json.Skip();
            }

            if (decoder is null)
            {
                _wrong ??= "An entry of \"avoid\" has no \"decoder\".";
            }
            else
            {
                Avoid.Add(new(decoder, file));
            }
        }
    }

    void ReadMapping(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartObject)
        {
            _wrong ??= "\"mapping\" must be an object.";
            return;
        }

        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (IsNext(ref json, "kind"u8))
            {
                MappingKind = Text(ref json, "kind");
            }
            else if (IsNext(ref json, "fd"u8))
            {
                MappingDescriptor = Number(ref json, "fd", 0, int.MaxValue);
            }
            else if (IsNext(ref json, "name"u8))
            {
                MappingName = Text(ref json, "name");
            }
            else
            {
                json.Read();
            }

            json.Skip();
        }
    }

    /// <summary>Goes to the value when the reader is on a member of this name; else stays.</summary>
    static bool IsNext(ref Utf8JsonReader json, ReadOnlySpan<byte> name) => json.TokenType == JsonTokenType.PropertyName && json.ValueTextEquals(name) && json.Read();

    long? Number(ref Utf8JsonReader json, string name, long minimum, long maximum)
    {
        long found = 0;
        bool isInteger = json.TokenType == JsonTokenType.Number && json.TryGetInt64(out found);
        if (isInteger && found >= minimum && found <= maximum)
        {
            return found;
        }

        _wrong ??= $"\"{name}\" must be an integer from {minimum} to {maximum}{(isInteger ? $", found {found}" : "")}.";
        return null;
    }

    string? TextOrNull(ref Utf8JsonReader json, string name) => json.TokenType == JsonTokenType.Null ? null : Text(ref json, name);

    string? Text(ref Utf8JsonReader json, string name)
    {
        if (json.TokenType == JsonTokenType.String)
        {
            return json.GetString();
        }

        _wrong ??= $"\"{name}\" must be a string.";
        return null;
    }

    void Clear()
    {
        _wrong = null;
        _hasWrongId = false;
        Id = null;
        HasId = false;
        Method = "";
        Protocol = ProtocolMinimum = Process = MappingDescriptor = Length = Generation = Slot = Sequence = Stream = Run = null;
        Client = MappingKind = MappingName = Format = Space = Model = Data = null;
        Models.Clear();
        Avoid.Clear();
        Options.Clear();
    }
}
